"""Every partition's counters, and how fast its stream grows: what stats and metrics are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Sum
from django.db.models.functions import Extract

from observability.models import StreamMinute
from observability.numbers.retention_risk import RetentionLimits, share_limits
from streams.log import get_log
from streams.log.protocol import Bounds, PartitionRef
from streams.models import Partition


@dataclass(slots=True)
class Lane:
    """One partition, its counters and its roll-up's.

    Attributes:
        stored_bytes: of the kept events, as stored.
        appended_bytes: JSON of all events ever appended.
        rolled_up_until: when the last event was recorded that is rolled up, if any is; in seconds since 1970,
            as is created_at.
        rate_per_second: events that it gains, taking its stream's partitions to gain alike.
    """

    ref: PartitionRef
    stream_id: int
    bounds: Bounds
    limits: RetentionLimits
    stored_bytes: int
    appended_bytes: int
    rolled_up_offset: int
    rolled_up_bytes: int
    rolled_up_until: float | None
    created_at: float
    rate_per_second: float = 0.0

    @property
    def tail_events(self) -> int:
        """Events that are not rolled up yet."""
        return max(0, self.bounds.head_offset - self.rolled_up_offset)


def load_lanes(*, stream_id: int | None, now: datetime) -> dict[int, Lane]:
    """Return the partitions of one stream, or (None) of all, by their id; three queries."""
    partitions = Partition.objects.order_by("stream__name", "number")
    rows = (partitions if stream_id is None else partitions.filter(stream_id=stream_id)).values_list(
        "pk",
        "number",
        "stream_id",
        "stream__name",
        "stream__partition_count",
        "stream__retention_max_age_seconds",
        "stream__retention_max_bytes",
        "stream__retention_max_events",
        # Seconds are read ten times faster than timestamps.
        Extract("stream__created_at", "epoch"),
        "stored_bytes",
        "appended_bytes",
        "rollupcursor__rolled_up_offset",
        "rollupcursor__rolled_up_bytes",
        Extract("rollupcursor__rolled_up_until", "epoch"),
    )
    found = [(PartitionRef(row[0], row[3], row[1]), row) for row in rows]
    bounds = get_log().bounds([ref for ref, _ in found])
    lanes = {
        ref.id: Lane(
            ref=ref,
            stream_id=row[2],
            bounds=bounds[ref.id],
            limits=share_limits(max_age_seconds=row[5], max_bytes=row[6], max_events=row[7], partitions=row[4]),
            created_at=row[8],
            stored_bytes=row[9],
            appended_bytes=row[10],
            rolled_up_offset=row[11] or 0,
            rolled_up_bytes=row[12] or 0,
            rolled_up_until=row[13],
        )
        for ref, row in found
        if ref.id in bounds
    }
    _set_rates(lanes, stream_id, now)
    return lanes


def _set_rates(lanes: Mapping[int, Lane], stream_id: int | None, now: datetime) -> None:
    """Look at the last whole minute and the present one."""
    since = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    minutes = StreamMinute.objects.filter(minute__gte=since).order_by()
    chosen = minutes if stream_id is None else minutes.filter(stream_id=stream_id)
    rolled_up = dict(chosen.values("stream_id").annotate(sum=Sum(F("events"))).values_list("stream_id", "sum"))
    seconds = (now - since).total_seconds()
    count: dict[int, int] = {}
    rate: dict[int, float] = {key: events / seconds for key, events in rolled_up.items()}
    for lane in lanes.values():
        count[lane.stream_id] = count.get(lane.stream_id, 0) + 1
        if lane.tail_events:
            # A roll-up that is behind has a tail from before: it counts for all the time that it comes from.
            begin = min(since.timestamp(), float(lane.rolled_up_until or lane.created_at))
            tail_rate = lane.tail_events / max(1.0, now.timestamp() - begin)
            rate[lane.stream_id] = rate.get(lane.stream_id, 0.0) + tail_rate
    for lane in lanes.values():
        lane.rate_per_second = rate.get(lane.stream_id, 0.0) / count[lane.stream_id]
