"""What a stream holds and how its groups stand, computed from counters when it is read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from consumers.models import ConsumerGroup, GroupOffset
from streams.log import get_log
from streams.log.protocol import Bounds
from streams.lookup import StreamInfo
from streams.models import Partition


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """How one group stands. `lag_seconds` is the age of its first unfinished event, None when there is none."""

    name: str
    mode: str
    lag: int
    lag_seconds: float | None
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class StreamStats:
    """A stream in numbers; sizes in bytes as stored."""

    stream: StreamInfo
    bounds: Mapping[int, Bounds]
    stored_bytes: int
    groups: Sequence[GroupStanding]

    @property
    def event_count(self) -> int:
        return sum(each.event_count for each in self.bounds.values())

    @property
    def head_offset(self) -> int:
        """Of one partition its head; of several, the sum: how many events were ever appended."""
        return sum(each.head_offset for each in self.bounds.values())

    @property
    def earliest_offset(self) -> int:
        return min((each.earliest_offset for each in self.bounds.values()), default=1)

    @property
    def last_event_at(self) -> datetime | None:
        return max((each.last_recorded_at for each in self.bounds.values() if each.last_recorded_at), default=None)


def get_stream_stats(stream: StreamInfo, *, now: datetime) -> StreamStats:
    """Return a stream's numbers in a constant number of queries, at any size of its log."""
    bounds = get_log().bounds(stream.partitions)
    stored = Partition.objects.filter(stream_id=stream.id).values_list("stored_bytes", flat=True)
    return StreamStats(stream, bounds, sum(stored), _group_standings(stream, bounds, now))


def _group_standings(stream: StreamInfo, bounds: Mapping[int, Bounds], now: datetime) -> list[GroupStanding]:
    groups = list(
        ConsumerGroup.objects.filter(stream_id=stream.id)
        .annotate(seen_at=Max("members__last_seen_at"))
        .order_by("name")
    )
    refs = {ref.id: ref for ref in stream.partitions}
    rows = [row for row in GroupOffset.objects.filter(group__in=groups) if row.partition_id in bounds]
    first_unread = get_log().recorded_after([(refs[row.partition_id], row.committed_offset) for row in rows])
    lag: Counter[int] = Counter()
    since: dict[int, datetime] = {}
    for row, moment in zip(rows, first_unread, strict=True):
        lag[row.group_id] += max(0, bounds[row.partition_id].head_offset - row.committed_offset)
        if moment is not None:
            since[row.group_id] = min(moment, since.get(row.group_id, moment))
    return [
        GroupStanding(
            name=group.name,
            mode=group.mode,
            lag=lag[group.pk],
            lag_seconds=max(0.0, (now - since[group.pk]).total_seconds())
            if lag[group.pk] and group.pk in since
            else None,
            last_seen_at=group.seen_at,
        )
        for group in groups
    ]
