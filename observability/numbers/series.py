"""What a stream gained over time, and of which types: read from the roll-ups, with what is not rolled up yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Sum
from django.db.models.functions import TruncHour

from observability.conf import MAX_MINUTES_WINDOW_SECONDS, STATS_MAX_TYPES
from observability.models import StreamMinute, TypePeriod
from observability.numbers.tails import Tail

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


def window_begins_at(window_seconds: int, now: datetime) -> datetime:
    """The beginning of the window's first point."""
    step = step_of(window_seconds)
    return _floor(now - timedelta(seconds=window_seconds), step) + step


def list_points(*, stream_id: int, window_seconds: int, tail: Tail | None, now: datetime) -> list[Point]:
    """Return a point for every minute (or hour) of the window, up to the present one, empty ones too."""
    rows = StreamMinute.objects.filter(stream_id=stream_id, minute__gte=window_begins_at(window_seconds, now))
    start = TruncHour("minute") if step_of(window_seconds) == HOUR else F("minute")
    sums = rows.order_by().annotate(start=start).values("start").annotate(sum=Sum("events"), size=Sum("bytes"))
    counted = sums.values_list("start", "sum", "size")
    return make_points(counted, [tail] if tail else [], window_seconds=window_seconds, now=now)


def make_points(
    counted: Iterable[tuple[datetime, int, int]], tails: Iterable[Tail], *, window_seconds: int, now: datetime
) -> list[Point]:
    """Return the points of a window: what was counted of each, by its beginning, and what is not rolled up yet."""
    step, first = step_of(window_seconds), window_begins_at(window_seconds, now)
    points = [Point(first + number * step) for number in range((_floor(now, step) - first) // step + 1)]
    for start, events, size in counted:
        number = (start - first) // step
        if number < len(points):
            points[number].events, points[number].bytes = events, size
    for tail in tails:
        _add_tail(points, tail)
    return points


def _add_tail(points: Sequence[Point], tail: Tail) -> None:
    """Count a tail to the points of the time that it comes from; the newest point takes the rest."""
    events, size = tail.events_until(points[0].start), tail.bytes_until(points[0].start)
    for point, following in zip(points, [*points[1:], None], strict=True):
        if following is not None and following.start <= tail.since:
            continue
        events_before, size_before = events, size
        events = tail.events_until(following.start) if following else tail.events
        size = tail.bytes_until(following.start) if following else tail.bytes
        point.events += events - events_before
        point.bytes += size - size_before


def list_types(*, stream_id: int, window_seconds: int, now: datetime) -> list[TypeCount]:
    """Return the types of a window, most frequent first; events that are not rolled up yet are not in it."""
    first = window_begins_at(window_seconds, now)
    length = TypePeriod.Length.MINUTE if step_of(window_seconds) == MINUTE else TypePeriod.Length.HOUR
    rows = TypePeriod.objects.filter(stream_id=stream_id, length=length, start__gte=first).order_by()
    sums = rows.values("type").annotate(sum=Sum("events"), size=Sum("bytes")).order_by("-sum", "type")
    found = sums.values_list("type", "sum", "size")[:STATS_MAX_TYPES]
    return [TypeCount(name, events, size) for name, events, size in found]


def _floor(moment: datetime, step: timedelta) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if step == HOUR else hour + (moment - hour) // step * step
