"""Retention: whole batches go from the front of a partition when age, bytes or count allow it."""

from datetime import datetime, timedelta

from django.db.models import Q

from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.models import Partition

# Of one partition, in one tick: a backlog is worked off over several ticks, never in one long one.
MAX_STEPS = 20


def delete_expired_events(*, now: datetime) -> int:
    """Delete what retention no longer keeps, of every stream that has a limit; return how many events went."""
    limited = Partition.objects.select_related("stream").filter(
        Q(stream__retention_max_age_seconds__isnull=False)
        | Q(stream__retention_max_bytes__isnull=False)
        | Q(stream__retention_max_events__isnull=False)
    )
    return sum(_trim(partition, now) for partition in limited.iterator())


def _trim(partition: Partition, now: datetime) -> int:
    stream = partition.stream
    # The limits are the stream's; bytes and count are shared out evenly among its partitions.
    share = stream.partition_count
    deleted = 0
    for _ in range(MAX_STEPS):
        step = get_log().trim(
            PartitionRef(partition.pk, stream.name, partition.number),
            recorded_before=now - timedelta(seconds=stream.retention_max_age_seconds)
            if stream.retention_max_age_seconds
            else None,
            # The newest stays, however small the limit is.
            keep_bytes=max(1, stream.retention_max_bytes // share) if stream.retention_max_bytes else None,
            keep_events=max(1, stream.retention_max_events // share) if stream.retention_max_events else None,
        )
        deleted += step
        if not step:
            break
    return deleted
