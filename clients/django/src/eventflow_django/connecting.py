"""Clients of the installation that the settings name."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from eventflow_client import EventFlow, Retries

from .conf import configuration

# What tests put in the place of the network.
_transports: list[httpx.BaseTransport] = []


@contextmanager
def through(transport: httpx.BaseTransport) -> Iterator[None]:
    """Let every client that is made within go another way than over the network."""
    _transports.append(transport)
    try:
        yield
    finally:
        _transports.remove(transport)


def sending_client() -> EventFlow:
    """Return a client that tries once: the relay decides about further attempts, and writes them down.

    Raises:
        ValueError: no key.
    """
    once = Retries(attempt_seconds=configuration().attempt_seconds, total_seconds=0.0)
    return _client(once, 4)


def consuming_client(connections: int) -> EventFlow:
    """Return a client for consumers, which tries as patiently as the client does by itself.

    Raises:
        ValueError: no key.
    """
    return _client(Retries(), connections)


def _client(retries: Retries, connections: int) -> EventFlow:
    found = configuration()
    transport = _transports[-1] if _transports else None
    key = found.key or ("in-memory" if transport else None)
    return EventFlow(found.url, key=key, retries=retries, connections=connections, transport=transport)
