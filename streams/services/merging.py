"""Merging: small batches, as appends of single events leave them, become full ones. No reader sees a difference."""

import logging
import time
from collections import deque
from datetime import datetime, timedelta

from django.db import OperationalError
from django.db.models import F

from streams.conf import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MERGE_AFTER_SECONDS,
    MERGE_MAX_SPAN_SECONDS,
    MERGE_NOT_WORTH_SECONDS,
    MERGE_SIZE_SHARE,
    MERGE_SPAN_SHARE,
    MERGE_STEP_BATCHES,
)
from streams.log import get_log
from streams.log.protocol import Merged, MergeLimits, PartitionRef
from streams.lookup import ref_of
from streams.metrics import count_merged
from streams.models import Partition
from streams.queries import list_partitions_to_merge
from streams.services.held import MOST_HELD, is_held
from streams.services.retention import Retention, retention_of

logger = logging.getLogger(__name__)


def merge_small_batches(*, now: datetime, seconds: float) -> int:
    """Merge what is old enough, in all streams; return how many batches went.

    It takes one step, and further ones for about `seconds`; the partitions take turns, those first that have waited
    for the most events. What is left is merged the next time.
    """
    deadline = time.monotonic() + seconds
    due = list_partitions_to_merge().select_related("stream").order_by(F("merge_due_head") - F("head_offset"))
    waiting = deque(due)
    gone = held = 0
    while waiting and held < MOST_HELD:
        partition = waiting.popleft()
        started = time.monotonic()
        try:
            merged = _merge(partition, now)
        except OperationalError as error:
            if not is_held(error):
                raise
            logger.warning(
                "%s/%d is held by somebody else: its batches are merged later", partition.stream.name, partition.number
            )
            held += 1
            # The others are not to wait for whoever holds this one, which may be the first in each tick.
            deadline += time.monotonic() - started
            continue
        gone += merged.batches_gone
        if not merged.is_done:
            waiting.append(partition)
        if time.monotonic() >= deadline:
            break
    return gone


def _merge(partition: Partition, now: datetime) -> Merged:
    ref = ref_of(partition)
    merged = get_log().merge(ref, _limits_of(ref, partition, now))
    count_merged(batches=merged.batches + merged.batches_gone, unreadable=merged.unreadable)
    return merged


def merge_limits(retention: Retention, *, partitions: int, now: datetime) -> MergeLimits:
    """Return how large batches may become in a partition of a stream: never so that retention works much worse."""
    kept = retention.share(partitions=partitions, now=now)
    span = timedelta(seconds=MERGE_MAX_SPAN_SECONDS)
    if retention.max_age is not None:
        span = min(span, retention.max_age * MERGE_SPAN_SHARE)
    return MergeLimits(
        recorded_before=now - timedelta(seconds=MERGE_AFTER_SECONDS),
        max_events=_share_of(kept["keep_events"], at_most=MAX_BATCH_EVENTS),
        max_bytes=_share_of(kept["keep_bytes"], at_most=MAX_BATCH_BYTES),
        max_span=span,
    )


def _share_of(kept: int | None, *, at_most: int) -> int:
    return at_most if kept is None else min(at_most, max(1, int(kept * MERGE_SIZE_SHARE)))


def _limits_of(ref: PartitionRef, partition: Partition, now: datetime) -> MergeLimits:
    retention, partitions = retention_of(partition.stream), partition.stream.partition_count
    limits = merge_limits(retention, partitions=partitions, now=now)
    if retention == Retention(None, None, None) or ref.epochs:
        return limits
    going = retention.share(partitions=partitions, now=now + timedelta(seconds=MERGE_NOT_WORTH_SECONDS))
    front = get_log().foresee_trim([ref], **going, max_batches=MERGE_STEP_BATCHES).get(ref.id)
    return limits if front is None else limits._replace(after=front.first_kept - 1)
