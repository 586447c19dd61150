"""The work in the background, in words for admins: when it ran, what it did, what it has not come to."""

from collections.abc import Sequence
from datetime import datetime

from accounts.short_memory import ShortMemory
from observability.conf import BACKGROUND_LATE_SECONDS
from observability.dashboard.queries.system_health import REMEMBERED_SECONDS, Part
from observability.models import Heartbeat
from observability.numbers.background import Backlog, load_backlog
from observability.telemetry.heartbeat import MERGING, RETENTION, ROLL_UPS
from observability.wording import duration, number_of

# What each does, in the past: of its count, one and many.
_DONE = {
    RETENTION: ("deleted", "event", "events"),
    MERGING: ("merged", "batch", "batches"),
    ROLL_UPS: ("counted", "event", "events"),
}

_memory: ShortMemory[None, Sequence[Part]] = ShortMemory(seconds=REMEMBERED_SECONDS, size=1)


def get_background(*, now: datetime) -> Sequence[Part]:
    """Return how it goes with each, at most a few seconds old."""
    return _memory.get(None, lambda: _look(now))


def forget_background() -> None:
    """Drop what this process remembers."""
    _memory.forget()


def _look(now: datetime) -> list[Part]:
    beats = {beat.name: beat for beat in Heartbeat.objects.filter(name__in=_DONE)}
    backlog = load_backlog(now=now)
    return [_part(name, beats.get(name), backlog, now) for name in _DONE]


def _part(name: str, beat: Heartbeat | None, backlog: Backlog, now: datetime) -> Part:
    title = name.capitalize()
    if beat is None:
        return Part(title, "warn", "has not run yet")
    ago = f"{duration(max(0.0, (now - beat.ticked_at).total_seconds()))} ago"
    if beat.failed_at is not None and beat.failed_at > beat.ticked_at:
        return Part(title, "bad", f"fails, as the worker's log says; last done {ago}")
    if (now - beat.ticked_at).total_seconds() > BACKGROUND_LATE_SECONDS:
        return Part(title, "warn", f"last ran {ago}")
    if name == RETENTION and backlog.overdue_streams:
        streams = number_of(backlog.overdue_streams, "stream")
        return Part(title, "warn", f"{streams} with more than retention says; {_did(beat, now)}")
    return Part(title, "good", "; ".join(filter(None, (_did(beat, now), _left(name, backlog)))))


def _did(beat: Heartbeat, now: datetime) -> str:
    verb, one, many = _DONE[beat.name]
    if beat.done is None or beat.done_at is None:
        return "nothing to do yet"
    ago = duration(max(0.0, (now - beat.done_at).total_seconds()))
    return f"{verb} {number_of(beat.done, one, many)} {ago} ago"


def _left(name: str, backlog: Backlog) -> str:
    waiting = {MERGING: backlog.not_merged, ROLL_UPS: backlog.not_rolled_up}.get(name, 0)
    return f"{number_of(waiting, 'event')} to come" if waiting else ""
