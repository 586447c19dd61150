"""The W3C `traceparent` of the event that is being handled: what is sent meanwhile carries it on."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_traceparent: ContextVar[str | None] = ContextVar("eventflow_traceparent", default=None)


def current_traceparent() -> str | None:
    """Return the trace that events sent now become part of; None outside of handlers and `traced`."""
    return _traceparent.get()


@contextmanager
def traced(traceparent: str | None) -> Iterator[None]:
    """Make events and requests sent within part of the trace."""
    token = _traceparent.set(traceparent)
    try:
        yield
    finally:
        _traceparent.reset(token)
