"""What streams gained in the last hour, for lists of them: as `stats` says it of one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Max, QuerySet, Sum

from observability.models import StreamMinute
from observability.numbers.rates import rate_begins_at, rate_per_second
from observability.numbers.series import Point, make_points, window_begins_at
from observability.numbers.tails import Tail
from streams.models import Partition, Stream

WINDOW_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Activity:
    """A last hour, by minute, the last one under way; and events a second at this moment."""

    points: Sequence[Point]
    rate_per_second: float

    @property
    def whole_minutes(self) -> list[int]:
        """Events of each, without the minute under way, which would look like a fall."""
        return [point.events for point in self.points[:-1]]


def activity_of(stream_ids: Collection[int], tails: Mapping[int, Tail], *, now: datetime) -> dict[int, Activity]:
    """Return each stream's activity by its id, in one query.

    Args:
        tails: what of these streams is not rolled up yet, by their id; others do not matter.
    """
    rows = StreamMinute.objects.filter(stream_id__in=stream_ids, minute__gte=window_begins_at(WINDOW_SECONDS, now))
    counted: dict[int, list[tuple[datetime, int, int]]] = {pk: [] for pk in stream_ids}
    for pk, minute, events, size in rows.values_list("stream_id", "minute", "events", "bytes"):
        counted[pk].append((minute, events, size))
    return {pk: _activity(counted[pk], [tails[pk]] if pk in tails else [], now) for pk in stream_ids}


def total_activity(streams: QuerySet[Stream], tails: Mapping[int, Tail], *, now: datetime) -> Activity:
    """Return the activity of several streams together, in one query.

    Args:
        tails: what of these streams, and of no others, is not rolled up yet.
    """
    rows = StreamMinute.objects.filter(
        stream_id__in=streams.values("pk"), minute__gte=window_begins_at(WINDOW_SECONDS, now)
    )
    sums = rows.order_by().values("minute").annotate(sum=Sum("events"), size=Sum("bytes"))
    return _activity(list(sums.values_list("minute", "sum", "size")), list(tails.values()), now)


class Busy(NamedTuple):
    """A stream among the busiest."""

    id: int
    name: str
    is_paused: bool


def list_busiest(streams: QuerySet[Stream], *, now: datetime, limit: int) -> list[Busy]:
    """Return the streams with most events in the last hour, most first.

    Last come those whose first events of the hour are not rolled up yet: nobody shall read that nothing happened.
    """
    since = now - timedelta(seconds=WINDOW_SECONDS)
    rows = StreamMinute.objects.filter(stream_id__in=streams.values("pk"), minute__gt=since)
    names = ("stream_id", "stream__name", "stream__is_paused")
    sums = rows.values_list(*names).annotate(event_sum=Sum("events")).order_by("-event_sum", "stream_id")
    busiest = [Busy(*row[:3]) for row in sums[:limit]]
    if len(busiest) == limit:
        return busiest
    lately = Partition.objects.filter(stream__in=streams.values("pk"), last_recorded_at__gt=since)
    others = lately.exclude(stream_id__in=[each.id for each in busiest]).values_list(*names)
    newest = others.annotate(last=Max("last_recorded_at")).order_by("-last", "stream_id")
    return busiest + [Busy(*row[:3]) for row in newest[: limit - len(busiest)]]


def _activity(counted: Iterable[tuple[datetime, int, int]], tails: Iterable[Tail], now: datetime) -> Activity:
    begin, rows, fresh = rate_begins_at(now), list(counted), list(tails)
    return Activity(
        points=make_points(rows, fresh, window_seconds=WINDOW_SECONDS, now=now),
        rate_per_second=rate_per_second(
            rolled_up_events=sum(events for minute, events, _ in rows if minute >= begin), tails=fresh, now=now
        ),
    )
