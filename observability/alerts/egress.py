"""The way out: to which addresses the installation itself may connect for somebody, and connecting to exactly these.

A name is resolved once; what it leads to is checked and connected to, so a name that leads elsewhere a moment later
leads nowhere. An inner address is for the operator to allow (EVENTFLOW_ALERT_EGRESS_ALLOW).
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar

from django.conf import settings

from observability.alerts.targets import WebTarget

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Result = TypeVar("Result")

# What is no place on the internet (IANA's special-purpose registries): this machine, private networks, link-local,
# shared by carriers, protocol assignments, documentation, benchmarks, 6to4's relays, multicast, reserved.
_INNER: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip
# Of IPv6 nothing else is in use; what wraps an IPv4 address (mapped, NAT64, 6to4, Teredo) lies outside or stands above.
_OUTER_V6: Final = ipaddress.ip_network("2000::/3")
_FIRST_FREE_PORT: Final = 1024


class Refused(Exception):
    """The installation does not connect there; the text says why, and nothing about what is there."""


class Unreachable(Exception):
    """It could not be connected to."""


def check_target(target: WebTarget) -> None:
    """Refuse what would be refused whatever its name leads to.

    Raises:
        Refused
    """
    literal = _literal(target.host)
    if literal is not None:
        _check_address(target, literal)
    elif not target.is_secure and not _allowed_hosts() and not _allowed_networks():
        raise Refused("The address must begin with https://.")


def connect(target: WebTarget, *, seconds: float) -> socket.socket:
    """Return a connection, with TLS if the address says https, to an address that may be connected to.

    Raises:
        Refused, Unreachable
    """
    deadline = time.monotonic() + seconds
    addresses = _resolve(target, seconds)
    refusal: Refused | None = None
    problem: OSError | None = None
    for address in addresses:
        try:
            _check_address(target, address)
        except Refused as error:
            refusal = error
            continue
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            return _open(target, address, left)
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"The certificate is not good: {error.verify_message}.") from error
        except OSError as error:
            problem = error
    if problem is None and refusal is not None:
        raise refusal
    raise Unreachable(_in_words(problem)) from problem


def _open(target: WebTarget, address: Address, seconds: float) -> socket.socket:
    """Connect to this address and no other; TLS is with whoever proves to be the named host."""
    plain = socket.create_connection((str(address), target.port), timeout=seconds)
    if not target.is_secure:
        return plain
    try:
        return _tls().wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _resolve(target: WebTarget, seconds: float) -> list[Address]:
    """Return what the name leads to now, asked once."""
    literal = _literal(target.host)
    if literal is not None:
        return [literal]

    def ask() -> list[Any]:
        return socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)

    try:
        found = _within(seconds, ask)
    except (OSError, UnicodeError) as error:
        raise Unreachable("The name leads nowhere.") from error
    # A scope (%eth0) belongs to link-local addresses, which are refused.
    texts = dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found)
    return [ipaddress.ip_address(text) for text in texts]


def _within(seconds: float, ask: Callable[[], Result]) -> Result:
    """Ask somebody who cannot be told to hurry, and wait no longer than this."""
    answers: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(ask())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            answers.put(error)

    threading.Thread(target=run, name="eventflow-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty as error:
        raise Unreachable("The name was not resolved in time.") from error
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _check_address(target: WebTarget, address: Address) -> None:
    if target.host in _allowed_hosts() or any(_holds(network, address) for network in _allowed_networks()):
        return
    if not is_outer(address):
        raise Refused("The address leads to no place on the internet. The operator can allow inner ones.")
    if not target.is_secure:
        raise Refused("The address must begin with https://.")
    if target.port != 443 and target.port < _FIRST_FREE_PORT:
        raise Refused("The port is 443, or 1024 and above.")


def is_outer(address: Address) -> bool:
    """Whether this is an address of somebody on the internet."""
    if isinstance(address, ipaddress.IPv6Address) and not _holds(_OUTER_V6, address):
        return False
    return not any(_holds(network, address) for network in _INNER)


def _holds(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network


def _literal(host: str) -> Address | None:
    """The address that a host is, in plain notation; other notations are names, and what they lead to is checked."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _allowed_hosts() -> frozenset[str]:
    return settings.ALERT_EGRESS_ALLOW.hosts


def _allowed_networks() -> tuple[Network, ...]:
    return settings.ALERT_EGRESS_ALLOW.networks


def _in_words(problem: OSError | None) -> str:
    if isinstance(problem, ConnectionRefusedError):
        return "Nobody listens there."
    if problem is None or isinstance(problem, TimeoutError):
        return "It did not answer in time."
    if isinstance(problem, ssl.SSLError):
        return "It does not speak TLS as it should."
    return "It could not be reached."
