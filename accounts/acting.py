"""Who does what is being done now, for the audit trail: services do not pass it down."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where; nobody in particular outside of any request."""

    reference: str = "system"
    email: str = ""
    address: str = ""


# Asked only when somebody wants to know: at the begin of a request nobody has looked at its credential yet.
_who: ContextVar[Callable[[], Actor]] = ContextVar("acting", default=Actor)


@contextmanager
def acting(who: Callable[[], Actor]) -> Iterator[None]:
    """Let whoever `who` returns have done what is done meanwhile."""
    token = _who.set(who)
    try:
        yield
    finally:
        _who.reset(token)


def current_actor() -> Actor:
    """Return who asks for what is being done now: a person (API, dashboard, admin), a key, or the system."""
    return _who.get()()
