"""Ending what waits, for its time, its next attempt or its key, when its events expire."""

from collections.abc import Sequence

from django.db import transaction

from consumers import metrics
from consumers.conf import RECONCILE_STEP_DELIVERIES
from consumers.models import ConsumerGroup, Ordering
from consumers.services.key_order import EndedKey, let_next_go
from consumers.services.wakeup import wake_consumers
from consumers.statements import run


def end_lapsed(*, group: ConsumerGroup, max_deliveries: int = RECONCILE_STEP_DELIVERIES) -> int:
    """End deliveries of the group whose events have expired in nobody's hands, in one transaction; return how many.

    Any number of callers may do this at once: each is ended once. A lease goes on: what its consumer acks is acked.
    """
    found = [row[0] for row in run("find_lapsed", group_id=group.pk, max_rows=max_deliveries)]
    if not found:
        return 0
    with transaction.atomic():
        run("lock_offsets_of_deliveries", group_id=group.pk, delivery_ids=found)
        return end_those_lapsed(group, found)


def end_those_lapsed(group: ConsumerGroup, delivery_ids: Sequence[int]) -> int:
    """End those of some deliveries that wait or are held up and have expired; return how many.

    The caller is in a transaction and holds the offset rows of their partitions.
    """
    ended = run("end_lapsed", group_id=group.pk, delivery_ids=delivery_ids)
    partition_ids = sorted({partition_id for partition_id, *_ in ended})
    if partition_ids:
        run("advance_offsets", group_id=group.pk, partition_ids=partition_ids)
    let_next_go(group.pk, [EndedKey(partition_id, key_hash) for partition_id, _, _, key_hash in ended])
    if group.ordering == Ordering.PARTITION:
        # What they stood before may go now.
        wake_consumers(partition_ids)
    event_count = sum(last_offset - first_offset + 1 for _, first_offset, last_offset, _ in ended)
    metrics.count_deliveries(group.stream.name, group.name, "lapsed", event_count)
    return len(ended)
