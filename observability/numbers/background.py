"""What the work in the background has not come to: it is told where people look, and to Prometheus."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from observability.conf import RETENTION_LATE_SECONDS, RETENTION_TOLERANCE
from observability.numbers.retention_risk import share_limits
from observability.numbers.tails import load_tails
from streams.conf import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.models import Stream
from streams.queries import count_events_to_merge, list_limited_partitions


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is to be done yet.

    Attributes:
        not_rolled_up: events that charts do not know.
        not_merged: events that came since merging looked at their partitions.
        overdue_streams: streams that keep more than their retention says.
    """

    not_rolled_up: int
    not_merged: int
    overdue_streams: int


def load_backlog(*, now: datetime) -> Backlog:
    """Return what is to be done yet, in five queries."""
    return Backlog(
        not_rolled_up=sum(tail.events for tail in load_tails(Stream.objects.all()).values()),
        not_merged=count_events_to_merge(),
        overdue_streams=count_overdue_streams(now=now),
    )


def count_overdue_streams(*, now: datetime) -> int:
    """Count the streams that keep more than their retention says, beyond what whole batches and ticks make of it."""
    kept = [_Kept(*row) for row in list_limited_partitions().values_list(*_COLUMNS)]
    oldest = get_log().recorded_after(
        [(PartitionRef(each.partition_id, each.stream, each.number), each.earliest_offset - 1) for each in kept]
    )
    return len({each.stream for each, at in zip(kept, oldest, strict=True) if at and _is_overdue(each, now - at)})


class _Kept(NamedTuple):
    """What a partition keeps, and the limits of its stream."""

    partition_id: int
    number: int
    stream: str
    partition_count: int
    max_age_seconds: int | None
    max_bytes: int | None
    max_events: int | None
    earliest_offset: int
    head_offset: int
    stored_bytes: int


_COLUMNS: Final = (
    "pk",
    "number",
    "stream__name",
    "stream__partition_count",
    "stream__retention_max_age_seconds",
    "stream__retention_max_bytes",
    "stream__retention_max_events",
    "earliest_offset",
    "head_offset",
    "stored_bytes",
)


def _is_overdue(kept: _Kept, age: timedelta) -> bool:
    limits = share_limits(
        max_age_seconds=kept.max_age_seconds,
        max_bytes=kept.max_bytes,
        max_events=kept.max_events,
        partitions=kept.partition_count,
    )
    return (
        _is_over(age.total_seconds(), limits.max_age_seconds, RETENTION_LATE_SECONDS)
        or _is_over(kept.head_offset - kept.earliest_offset + 1, limits.max_events, MAX_BATCH_EVENTS)
        or _is_over(kept.stored_bytes, limits.max_bytes, MAX_BATCH_BYTES)
    )


def _is_over(kept: float, limit: int | None, allowance: int) -> bool:
    return limit is not None and kept > limit * (1 + RETENTION_TOLERANCE) + allowance
