"""What streams hold and how fast they grow: what pages, stats and metrics are computed from."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Extract

from observability.models import StreamMinute
from observability.numbers.rates import rate_begins_at, rate_per_second
from observability.numbers.retention_risk import RetentionLimits, share_limits
from observability.numbers.tails import Counters, Tail, make_tails
from streams.log import last_seen
from streams.log.protocol import Bounds, PartitionRef
from streams.models import Partition
from streams.totals import StreamTotals, add_up


# Not frozen, as are all that a scrape makes by the thousand: it would take twice as long.
@dataclass(slots=True)
class Lane:
    """One partition and its counters.

    Attributes:
        stored_bytes: of the kept events, as stored.
        appended_bytes: JSON of all events ever appended.
        rolled_up_until: when the last event that is rolled up was recorded, if any is; in seconds since 1970.
    """

    ref: PartitionRef
    bounds: Bounds
    limits: RetentionLimits
    stored_bytes: int
    appended_bytes: int
    rolled_up_offset: int
    rolled_up_bytes: int
    rolled_up_until: float | None

    @property
    def is_rolled_up(self) -> bool:
        return self.rolled_up_offset >= self.bounds.head_offset

    def counters(self, stream_id: int) -> Counters:
        return Counters(
            stream_id,
            self.ref,
            self.bounds.head_offset,
            self.appended_bytes,
            self.bounds.last_recorded_at,
            self.rolled_up_offset,
            self.rolled_up_bytes,
        )


@dataclass(slots=True)
class Holding:
    """One stream in numbers, its partitions together.

    Attributes:
        lanes: its partitions by their id, in the order of their numbers.
        stored_bytes: size of the kept events as stored, compressed.
        appended_bytes: JSON of all events ever appended, uncompressed.
        tail: what is not rolled up yet; the roll-ups are at most seconds behind unless the worker is away.
        rate_per_second: events appended, over the last minute or two.
    """

    stream_id: int
    totals: StreamTotals
    lanes: dict[int, Lane]
    stored_bytes: int
    appended_bytes: int
    tail: Tail | None
    rate_per_second: float

    @property
    def not_rolled_up(self) -> int:
        """Events that are in no roll-up yet."""
        return self.tail.events if self.tail else 0

    @property
    def rolled_up_until(self) -> datetime | None:
        """When the last event in the roll-ups was recorded, of the partition that is furthest behind."""
        moments = [float(lane.rolled_up_until) for lane in self.lanes.values() if lane.rolled_up_until]
        return datetime.fromtimestamp(min(moments), UTC) if moments else None

    @property
    def lane_rate_per_second(self) -> float:
        """Events that a partition gains, taking them to gain alike."""
        return self.rate_per_second / len(self.lanes)


def load_holdings(*, stream_ids: Collection[int] | None, now: datetime) -> dict[int, Holding]:
    """Return what these streams hold, or (None) all of them, by their id, ordered by name, in four queries."""
    wanted = Q() if stream_ids is None else Q(stream_id__in=stream_ids)
    minutes = StreamMinute.objects.filter(wanted, minute__gte=rate_begins_at(now)).order_by()
    rolled_up = dict(minutes.values("stream_id").annotate(sum=Sum("events")).values_list("stream_id", "sum"))
    lanes = _load_lanes(Partition.objects.filter(wanted))
    tails = make_tails(
        lane.counters(stream_id) for stream_id, own in lanes.items() for lane in own if not lane.is_rolled_up
    )
    # Most streams of a large installation are at rest.
    rates = {
        stream_id: rate_per_second(
            rolled_up_events=rolled_up.get(stream_id, 0),
            tails=[tails[stream_id]] if stream_id in tails else [],
            now=now,
        )
        for stream_id in rolled_up.keys() | tails.keys()
    }
    return {
        stream_id: Holding(
            stream_id=stream_id,
            totals=add_up(own[0].ref.stream, [lane.bounds for lane in own]),
            lanes={lane.ref.id: lane for lane in own},
            stored_bytes=sum([lane.stored_bytes for lane in own]),
            appended_bytes=sum([lane.appended_bytes for lane in own]),
            tail=tails.get(stream_id),
            rate_per_second=rates.get(stream_id, 0.0),
        )
        for stream_id, own in lanes.items()
    }


def _load_lanes(partitions: QuerySet[Partition]) -> dict[int, list[Lane]]:
    """Return the partitions by their stream's id."""
    rows = partitions.order_by("stream__name", "number").values_list(
        "pk",
        "number",
        "stream_id",
        "stream__name",
        "stream__partition_count",
        "stream__retention_max_age_seconds",
        "stream__retention_max_bytes",
        "stream__retention_max_events",
        "stored_bytes",
        "appended_bytes",
        "rollupcursor__rolled_up_offset",
        "rollupcursor__rolled_up_bytes",
        # Seconds are read ten times faster than timestamps.
        Extract("rollupcursor__rolled_up_until", "epoch"),
    )
    found = [(PartitionRef(row[0], row[3], row[1]), row) for row in rows]
    bounds = last_seen([ref for ref, _ in found])
    lanes: dict[int, list[Lane]] = {}
    for ref, row in found:
        if ref.id not in bounds:
            continue
        lane = Lane(
            ref=ref,
            bounds=bounds[ref.id],
            limits=share_limits(max_age_seconds=row[5], max_bytes=row[6], max_events=row[7], partitions=row[4]),
            stored_bytes=row[8],
            appended_bytes=row[9],
            rolled_up_offset=row[10] or 0,
            rolled_up_bytes=row[11] or 0,
            rolled_up_until=row[12],
        )
        lanes.setdefault(row[2], []).append(lane)
    return lanes
