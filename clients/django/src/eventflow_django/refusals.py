"""What a failed attempt to send a batch means: pure rules, by the server's outcome contract."""

import re
from dataclasses import dataclass, field
from typing import Final

from eventflow_client import EventFlowError, Problem

_ITEM: Final = re.compile(r"/(\d+)(/.*)?")
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
    if named := _named(error, count):
        return Refused(named)
    # It was stored with other bytes: nobody may send these under another name.
    if count == 1 or error.code == "idempotency_key_reused":
        return Refused(dict.fromkeys(range(count), str(error)))
    return TooMuch()


def _named(problem: Problem, count: int) -> dict[int, str]:
    reasons: dict[int, str] = {}
    for each in problem.errors:
        match = _ITEM.fullmatch(each.pointer)
        if match and int(match[1]) < count:
            place = int(match[1])
            said = f"{problem.code}: {match[2] or 'event'}: {each.detail}"
            reasons[place] = f"{reasons[place]}\n{said}" if place in reasons else said
    return reasons
