"""How fast streams grew lately, from the per-minute roll-ups and what is not rolled up yet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from observability.models import StreamMinute
from streams.models import Partition, Stream

MINUTES = 60
# Events beyond the roll-up's cursor count as recent only where the roll-up itself is, or the stream.
ROLLED_UP_LATELY = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Activity:
    """A stream's last hour: events and bytes by minute, the last one under way since `elapsed` seconds."""

    until: datetime
    minutes: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def elapsed(self) -> float:
        return max(1.0, self.until.timestamp() % 60)

    @property
    def whole_minutes(self) -> tuple[int, ...]:
        """Without the minute under way, which would look like a fall."""
        return self.minutes[:-1]

    @property
    def rate_per_second(self) -> float:
        """Events a second, over the minute under way and the whole one before it."""
        return sum(self.minutes[-2:]) / (60 + self.elapsed)

    @property
    def x(self) -> list[int]:
        """The minutes' beginnings, in seconds since 1970."""
        end = int(self.until.timestamp()) // 60 * 60
        return [end - 60 * (len(self.minutes) - 1 - i) for i in range(len(self.minutes))]

    @property
    def chart(self) -> dict[str, Any]:
        """Events a second, as the chart's script reads it."""
        return {"x": self.x, "series": [{"label": "events/s", "values": self._by_second(self.minutes)}]}

    @property
    def size_chart(self) -> dict[str, Any]:
        """Bytes a second."""
        return {"x": self.x, "unit": "bytes", "series": [{"label": "a second", "values": self._by_second(self.sizes)}]}

    def _by_second(self, values: Sequence[int]) -> list[float]:
        whole = [round(value / 60, 6) for value in values[:-1]]
        # A minute that has just begun says nothing yet.
        return [*whole, round(values[-1] / self.elapsed, 6) if self.elapsed >= 10 else whole[-1] if whole else 0.0]


def activity_of(stream_ids: Iterable[int], *, now: datetime) -> dict[int, Activity]:
    """Return each stream's activity by its id, in two queries."""
    ids = list(stream_ids)
    rows = StreamMinute.objects.filter(stream_id__in=ids, minute__gt=_since(now))
    counted: dict[int, dict[datetime, tuple[int, int]]] = {pk: {} for pk in ids}
    for pk, minute, events, size in rows.values_list("stream_id", "minute", "events", "bytes"):
        counted[pk][minute] = (events, size)
    fresh = _not_rolled_up(Partition.objects.filter(stream_id__in=ids), now)
    return {pk: _activity(counted[pk], fresh.get(pk, 0), now) for pk in ids}


def total_activity(streams: QuerySet[Stream], *, now: datetime) -> Activity:
    """Return the activity of several streams together, in two queries."""
    rows = StreamMinute.objects.filter(stream_id__in=streams.values("pk"), minute__gt=_since(now))
    sums = rows.values("minute").annotate(event_sum=Sum("events"), byte_sum=Sum("bytes")).order_by("minute")
    counted = {row["minute"]: (row["event_sum"], row["byte_sum"]) for row in sums}
    fresh = _not_rolled_up(Partition.objects.filter(stream__in=streams.values("pk")), now)
    return _activity(counted, sum(fresh.values()), now)


def busiest_stream_ids(streams: QuerySet[Stream], *, now: datetime, limit: int) -> list[int]:
    """Return the ids of the streams with most events in the last hour, most first.

    Last come those whose first events of the hour are not rolled up yet: nobody shall read that nothing happened.
    """
    rows = StreamMinute.objects.filter(stream_id__in=streams.values("pk"), minute__gt=_since(now))
    sums = rows.values("stream_id").annotate(event_sum=Sum("events")).order_by("-event_sum", "stream_id")
    ids: list[int] = [row["stream_id"] for row in sums[:limit]]
    if len(ids) == limit:
        return ids
    lately = Partition.objects.filter(stream__in=streams.values("pk"), last_recorded_at__gt=_since(now))
    others = lately.exclude(stream_id__in=ids).values("stream_id").annotate(last=Max("last_recorded_at"))
    return ids + [row["stream_id"] for row in others.order_by("-last", "stream_id")[: limit - len(ids)]]


def _since(now: datetime) -> datetime:
    return now - timedelta(minutes=MINUTES)


def _activity(counted: Mapping[datetime, tuple[int, int]], fresh: int, now: datetime) -> Activity:
    current = now.replace(second=0, microsecond=0)
    pairs = [counted.get(current - timedelta(minutes=back), (0, 0)) for back in range(MINUTES - 1, -1, -1)]
    minutes = [events for events, _ in pairs]
    minutes[-1] += fresh
    return Activity(until=now, minutes=tuple(minutes), sizes=tuple(size for _, size in pairs))


def _not_rolled_up(partitions: QuerySet[Partition], now: datetime) -> dict[int, int]:
    """Count the events that were appended since the last roll-up, by stream id."""
    lately = now - ROLLED_UP_LATELY
    is_recent = Q(rollupcursor__rolled_up_until__gt=lately) | Q(rollupcursor=None, stream__created_at__gt=lately)
    counted = partitions.annotate(fresh_events=F("head_offset") - Coalesce(F("rollupcursor__rolled_up_offset"), 0))
    behind = counted.filter(is_recent, fresh_events__gt=0)
    rows = behind.order_by().values("stream_id").annotate(fresh=Sum("fresh_events"))
    return {row["stream_id"]: row["fresh"] for row in rows}
