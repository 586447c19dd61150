"""When an event is handed out, and until when: `deliver_after` and `expires_after`. Pure.

Both are kept as they were given, seconds as seconds. These count from when the event was recorded, by the database's
clock, which is the only one that all processes share.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Protocol

from msgspec import UNSET, Meta, UnsetType

from streams.conf import MAX_DELAY_SECONDS, MAX_LIFETIME_SECONDS, MIN_SPAN_SECONDS
from streams.errors import EventFault

# A time, or seconds from when the event is recorded.
Delay = Annotated[datetime, Meta(tz=True)] | Annotated[float, Meta(ge=MIN_SPAN_SECONDS, le=MAX_DELAY_SECONDS)]
Lifetime = Annotated[float, Meta(ge=MIN_SPAN_SECONDS, le=MAX_LIFETIME_SECONDS)]

_DELAY_RULE: Final = (
    f"A time with its zone, at most {MAX_DELAY_SECONDS // 86_400} days ahead (2026-11-22T10:00:00Z), or seconds: a "
    f"number from {MIN_SPAN_SECONDS} to {MAX_DELAY_SECONDS}."
)
_LIFETIME_RULE: Final = f"Seconds: a number from {MIN_SPAN_SECONDS} to {MAX_LIFETIME_SECONDS}."
# What to say where a value is not of the right kind, by the field's pointer.
TIME_RULES: Final = {"/deliver_after": _DELAY_RULE, "/expires_after": _LIFETIME_RULE}
_EXPIRES_FIRST: Final = "It would expire before it is handed out: give more seconds than it is to wait."


class Timed(Protocol):
    """An event that may be for later, and may expire."""

    deliver_after: datetime | float | UnsetType | None
    expires_after: float | UnsetType | None


def due_at(recorded_at: datetime, deliver_after: datetime | float | None) -> datetime | None:
    """Return from when on lease mode hands an event out; None: at once."""
    if deliver_after is None or isinstance(deliver_after, datetime):
        return deliver_after
    return recorded_at + timedelta(seconds=deliver_after)


def expires_at(recorded_at: datetime, expires_after: float | None) -> datetime | None:
    """Return from when on lease mode hands an event out no more; None: it always does."""
    return None if expires_after is None else recorded_at + timedelta(seconds=expires_after)


def faults_of_times(event: Timed, pointer: str) -> list[EventFault]:
    """Return what of an event's times breaks the rules that types alone cannot say; put its time in UTC.

    How far ahead a time lies is told by this process' clock: the record has the time itself, whatever that says.
    """
    deliver_after, expires_after = event.deliver_after, event.expires_after
    if isinstance(deliver_after, datetime):
        try:
            event.deliver_after = due = deliver_after.astimezone(UTC)
            is_too_late = due > datetime.now(UTC) + timedelta(seconds=MAX_DELAY_SECONDS)
        except OverflowError:
            is_too_late = True
        return [_fault(pointer, "deliver_after", "out_of_range", _DELAY_RULE)] if is_too_late else []
    if isinstance(deliver_after, float) and isinstance(expires_after, float) and expires_after <= deliver_after:
        return [_fault(pointer, "expires_after", "expires_first", _EXPIRES_FIRST)]
    return []


def complete_times(event: Timed) -> bool:
    """Write an event's times as its record keeps them; return whether it has any."""
    if not isinstance(event.deliver_after, datetime):
        event.deliver_after = _plain(event.deliver_after)
    event.expires_after = _plain(event.expires_after)
    return event.deliver_after is not UNSET or event.expires_after is not UNSET


def keep_moments(event: Timed, *, recorded_at: datetime, now: datetime) -> None:
    """Let an event that is about to be recorded anew be due, and expire, when it was to.

    Args:
        recorded_at: when it was recorded first.
    """
    if isinstance(event.deliver_after, int | float):
        event.deliver_after = due_at(recorded_at, event.deliver_after)
    if isinstance(event.expires_after, int | float):
        left = event.expires_after - (now - recorded_at).total_seconds()
        # What has expired must stay so, and no event lives for no time at all.
        event.expires_after = max(left, MIN_SPAN_SECONDS)


def _plain(seconds: float | UnsetType | None) -> float | UnsetType:
    """Return seconds as people write them: 30, not 30.0; without any, nothing is said."""
    if seconds is None or isinstance(seconds, UnsetType):
        return UNSET
    return int(seconds) if seconds == int(seconds) else seconds


def _fault(pointer: str, name: str, code: str, detail: str) -> EventFault:
    return EventFault(f"{pointer}/{name}", code, detail)
