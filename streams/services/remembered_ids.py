"""The ids that streams remember so that none is stored twice: how many, since when, and when they go."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings

from streams.log import get_log
from streams.lookup import StreamInfo
from streams.models import Partition

# Of one partition, in one tick: a backlog is worked off over several ticks, never in one long one.
_MAX_STEPS: Final = 100
_PARTITIONS_AT_ONCE: Final = 500
_ALL: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RememberedIds:
    """What one stream remembers.

    Attributes:
        count: at most so many ids: all events since the oldest, though some may have been appended by others' rules.
        since: when the event was recorded whose id is the oldest; None: none is remembered.
    """

    window_seconds: int
    count: int
    since: datetime | None


def remembered_ids(stream: StreamInfo) -> RememberedIds | None:
    """Return what a stream remembers, in one query; None if it stores whatever comes."""
    if stream.deduplicate_ids is None:
        return None
    oldest = get_log().oldest_ids(stream.partitions).values()
    return RememberedIds(
        window_seconds=stream.deduplicate_ids,
        count=sum(each.head_offset - each.offset + 1 for each in oldest),
        since=min((each.recorded_at for each in oldest), default=None),
    )


def forget_passed_ids(*, now: datetime) -> int:
    """Forget ids whose window has passed, and those of streams that do not ask any more; return how many."""
    return sum(_forget(partition_id, partition, now) for partition_id, partition in _partitions_with_ids())


def _partitions_with_ids() -> Iterator[tuple[int, Partition | None]]:
    """Yield the id of each partition that has any, and the partition with its stream unless that is gone."""
    found = get_log().partitions_with_ids(after=0, limit=_PARTITIONS_AT_ONCE)
    while found:
        there = Partition.objects.select_related("stream").in_bulk(found)
        yield from ((partition_id, there.get(partition_id)) for partition_id in found)
        found = get_log().partitions_with_ids(after=found[-1], limit=_PARTITIONS_AT_ONCE)


def _forget(partition_id: int, partition: Partition | None, now: datetime) -> int:
    window = None if partition is None else partition.stream.deduplicate_ids_seconds
    if partition is None or window is None:
        return _forget_front(partition_id, recorded_before=_ALL, up_to=0)
    # What is appended while a stream remembers as much as it may pushes out its oldest.
    share = max(1, settings.MAX_REMEMBERED_IDS // partition.stream.partition_count)
    return _forget_front(
        partition_id,
        recorded_before=now - timedelta(seconds=window),
        up_to=max(0, partition.head_offset - share),
    )


def _forget_front(partition_id: int, *, recorded_before: datetime, up_to: int) -> int:
    forgotten = 0
    for _ in range(_MAX_STEPS):
        step = get_log().forget_ids(partition_id, recorded_before=recorded_before, up_to=up_to)
        forgotten += step
        if not step:
            break
    return forgotten
