"""Network addresses as text: which machine, which sender, which network. Pure."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

# Whoever has one address of IPv6 has all of its /64, and may take another for each request.
IPV6_SENDER_BITS = 64
# `::ffff:0:0/96` is all of IPv4.
_IPV4_MAPPED_BITS = 96


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, or None if the text is none; an IPv4 address that is written as IPv6 is IPv4.

    Some proxies write `192.0.2.1:5678` and `[2001:db8::1]:5678` into their header.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def sender_of(text: str) -> str:
    """Return what stands for one sender when their requests are counted: an IPv4 address, a /64 of IPv6."""
    address = read_address(text)
    if address is None:
        return text
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((int(address), IPV6_SENDER_BITS), strict=False))


def read_network(text: str) -> str | None:
    """Return a network (`192.0.2.0/24`) or a single address as networks are written, or None if it is neither.

    In the form that addresses have where they are looked at (`read_address`): one of IPv4 that is written as IPv6 is
    IPv4, and a zone (`fe80::1%eth0`) is left out.
    """
    address, slash, mask = text.strip().partition("/")
    if ":" in address:
        address = address.partition("%")[0]
    try:
        network = ip_network(address + slash + mask, strict=True)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None:
        return str(network)
    return f"{mapped}/{network.prefixlen - _IPV4_MAPPED_BITS}"


def is_within(text: str, networks: Iterable[str]) -> bool:
    """Whether an address lies in one of the networks; what is no address lies in none."""
    address = read_address(text)
    return address is not None and any(address in known for known in map(_known, networks) if known is not None)


# A key is looked at for each request, and the networks of one hardly change.
@lru_cache(maxsize=1_024)
def _known(network: str) -> IPv4Network | IPv6Network | None:
    # Of keys from before zones were left out, some end in the middle of a mask.
    text = read_network(network)
    return None if text is None else ip_network(text)
