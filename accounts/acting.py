"""Who does what is being done now, for the audit trail: services do not pass it down."""

from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where; nobody in particular outside of any request."""

    reference: str = "system"
    email: str = ""
    address: str = ""


# Asked only when somebody wants to know: at the begin of a request nobody has looked at its credential yet.
_who: ContextVar[Callable[[], Actor]] = ContextVar("acting", default=Actor)


def begin_acting(who: Callable[[], Actor]) -> Token[Callable[[], Actor]]:
    """Let whoever `who` returns have done what is done from now on, until `end_acting`."""
    return _who.set(who)


def end_acting(token: Token[Callable[[], Actor]]) -> None:
    _who.reset(token)


def current_actor() -> Actor:
    """Return who asks for what is being done now: a person (API, dashboard, admin), a key, or the system."""
    return _who.get()()
