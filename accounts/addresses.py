"""Network addresses as text: which machine, which sender, which network. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# Whoever has one address of IPv6 has all of its /64, and may take another for each request.
IPV6_SENDER_BITS = 64


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
    """Return a network (`192.0.2.0/24`) or a single address as networks are written, or None if it is neither."""
    try:
        return str(ip_network(text.strip(), strict=True))
    except ValueError:
        return None


def is_within(text: str, networks: Iterable[str]) -> bool:
    """Whether an address lies in one of the networks; what is no address lies in none."""
    address = read_address(text)
    return address is not None and any(address in ip_network(network) for network in networks)
