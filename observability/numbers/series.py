"""What a stream gained over time, and of which types: read from the roll-ups."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Sum
from django.db.models.functions import TruncHour

from observability.conf import MAX_MINUTES_WINDOW_SECONDS, STATS_MAX_TYPES
from observability.models import StreamMinute, TypePeriod

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Point:
    """Events and bytes of their JSON in the minute, or in a long window the hour, that begins at `start`."""

    start: datetime
    events: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class TypeCount:
    """Events of one type in a window; the empty type stands for all rare ones together."""

    type: str
    events: int
    bytes: int


def step_of(window_seconds: int) -> timedelta:
    """The length of a point: a minute, or an hour where minutes would be too many."""
    return MINUTE if window_seconds <= MAX_MINUTES_WINDOW_SECONDS else HOUR


def list_points(*, stream_id: int, window_seconds: int, now: datetime) -> list[Point]:
    """Return a point for every minute (or hour) of the window, up to the present one, empty ones too."""
    step = step_of(window_seconds)
    last = _floor(now, step)
    first = _floor(now - timedelta(seconds=window_seconds), step) + step
    rows = StreamMinute.objects.filter(stream_id=stream_id, minute__gte=first)
    start = TruncHour("minute") if step == HOUR else F("minute")
    sums = rows.order_by().annotate(start=start).values("start").annotate(sum=Sum("events"), size=Sum("bytes"))
    found = sums.values_list("start", "sum", "size")
    points = [Point(first + number * step) for number in range((last - first) // step + 1)]
    for moment, events, size in found:
        number = (moment - first) // step
        if number < len(points):
            points[number].events, points[number].bytes = events, size
    return points


def list_types(*, stream_id: int, window_seconds: int, now: datetime) -> list[TypeCount]:
    """Return the types of a window, most frequent first; events that are not rolled up yet are not in it."""
    step = step_of(window_seconds)
    first = _floor(now - timedelta(seconds=window_seconds), step) + step
    length = TypePeriod.Length.MINUTE if step == MINUTE else TypePeriod.Length.HOUR
    rows = TypePeriod.objects.filter(stream_id=stream_id, length=length, start__gte=first).order_by()
    sums = rows.values("type").annotate(sum=Sum("events"), size=Sum("bytes")).order_by("-sum", "type")
    found = sums.values_list("type", "sum", "size")[:STATS_MAX_TYPES]
    return [TypeCount(name, events, size) for name, events, size in found]


def add_tail(points: Sequence[Point], *, events: int, size: int, last_event_at: datetime | None) -> None:
    """Count what is not rolled up yet to the point of the newest event: it came in since the last roll-up."""
    if not points or not events or last_event_at is None:
        return
    point = next((each for each in reversed(points) if each.start <= last_event_at), None)
    if point is not None:
        point.events += events
        point.bytes += size


def _floor(moment: datetime, step: timedelta) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if step == HOUR else hour + (moment - hour) // step * step
