"""The id of the request that is being answered, for work that outlives it."""

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.contextvars import bound_contextvars, get_contextvars

MAX_REQUEST_ID_CHARACTERS = 128


def current_request_id() -> str:
    """Return the id that log lines carry now; empty outside of any request."""
    return str(get_contextvars().get("request_id", ""))[:MAX_REQUEST_ID_CHARACTERS]


@contextmanager
def on_behalf_of(request_id: str) -> Iterator[None]:
    """Let log lines carry the id of the request that asked for this work, wherever it is done."""
    if not request_id:
        yield
        return
    with bound_contextvars(request_id=request_id):
        yield
