"""What a failed attempt to send a batch means: pure rules, by the server's outcome contract."""

from dataclasses import dataclass, field
from typing import Final

from eventflow_client import EventFlowError, Problem, blame

# The request itself is at fault, and not who asks, the stream or the time.
_ABOUT_EVENTS: Final = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True)
class Again:
    """The same request is sent again later.

    Attributes:
        may_be_stored: the attempt may have stored it.
    """

    may_be_stored: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is stored. These events, by their place in the request, have failed; the others go anew."""

    reasons: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TooMuch:
    """Nothing is stored, and nobody says which event is to blame: half as many are tried next."""


def meaning_of(error: EventFlowError, count: int) -> Again | Refused | TooMuch:
    """Say what follows for the `count` events of a request that failed with the error."""
    if not isinstance(error, Problem):
        return Again(error.may_be_stored)
    if error.may_be_stored or error.is_retryable or error.status not in _ABOUT_EVENTS or not error.code:
        return Again(error.may_be_stored, error.retry_after)
    failed = blame(error, list(range(count))).failed
    is_named = any(each is not error for each in failed.values())
    # It was stored with other bytes: nobody may send these under another name.
    if is_named or count == 1 or error.code == "idempotency_key_reused":
        return Refused({place: _words(failed[place]) for place in failed})
    return TooMuch()


def _words(problem: Problem) -> str:
    """What stands beside an event that failed: where in it, and what is wrong there."""
    parts = [f"{problem.code}: {_within(each.pointer) or 'event'}: {each.detail}" for each in problem.errors]
    return "\n".join(parts) or f"{problem.code}: {problem.detail}"


def _within(pointer: str) -> str:
    # An event that was sent alone was the first of its request.
    return pointer.removeprefix("/0")
