"""Clients of the installation that the settings name."""

from eventflow_client import EventFlow, Retries

from .conf import configuration


def sending_client() -> EventFlow:
    """Return a client that tries once: the relay decides about further attempts, and writes them down.

    Raises:
        ValueError: no key.
    """
    found = configuration()
    once = Retries(attempt_seconds=found.attempt_seconds, total_seconds=0.0)
    return EventFlow(found.url, key=found.key, retries=once)


def consuming_client(connections: int) -> EventFlow:
    """Return a client for consumers, which tries as patiently as the client does by itself.

    Raises:
        ValueError: no key.
    """
    found = configuration()
    return EventFlow(found.url, key=found.key, connections=connections)
