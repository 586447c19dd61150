"""Keeping the order of each key: who finishes an event lets the next one of its key go.

Whoever calls these is in a transaction that ends deliveries, and holds, or takes here, the offset rows of their
partitions. Events are sorted under the same rows, so none that is being held up is forgotten.
"""

from collections.abc import Iterable
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Greatest

from consumers.models import ConsumerGroup, GroupOffset
from consumers.services.losses import LostRange
from consumers.services.wakeup import wake_consumers
from consumers.statements import run, run_by_key


class EndedKey(NamedTuple):
    """An event that is finished, in a partition, with its key; None: it has none, or its group keeps no such order."""

    partition_id: int
    key_hash: int | None


class LostHeldUp(NamedTuple):
    """What was held up and is gone: offsets of one round, both included."""

    round: int
    lost: LostRange


def let_next_go(group_id: int, ended: Iterable[EndedKey]) -> None:
    """Let the next event of each of these keys be handed out, and wake who waits; costs nothing without keys."""
    keys = sorted({(each.partition_id, each.key_hash) for each in ended if each.key_hash is not None})
    if not keys:
        return
    partition_ids = sorted({partition_id for partition_id, _ in keys})
    with transaction.atomic():
        run("lock_offsets", group_id=group_id, partition_ids=partition_ids)
        let_go = run_by_key(
            "let_next_go",
            group_id=group_id,
            partition_ids=[partition_id for partition_id, _ in keys],
            key_hashes=[key_hash for _, key_hash in keys],
        )
        wake_consumers({partition_id for (partition_id,) in let_go})


def lose_held_up(group_id: int, *, partition_id: int, earliest_offset: int) -> list[LostHeldUp]:
    """End what retention took while it was held up: to find it out one by one would take a lease for each."""
    rows = run("lose_held_up", group_id=group_id, partition_id=partition_id, earliest_offset=earliest_offset)
    return [LostHeldUp(round_, LostRange(partition_id, first, last)) for round_, first, last in rows]


def begin_key_order(group: ConsumerGroup) -> None:
    """Keep the order of keys from here on: what is new waits until all that was handed out before is finished."""
    offsets = _held_offsets(group)
    offsets.update(key_order_after=Greatest("committed_offset", "dispatched_offset"))


def end_key_order(group: ConsumerGroup) -> None:
    """Let everything go that is held up, and keep no order of keys any more."""
    offsets = _held_offsets(group)
    run("let_all_go", group_id=group.pk)
    offsets.update(key_order_after=None, held_up_count=0)


def _held_offsets(group: ConsumerGroup) -> QuerySet[GroupOffset]:
    offsets = GroupOffset.objects.filter(group=group)
    run("lock_offsets", group_id=group.pk, partition_ids=list(offsets.values_list("partition_id", flat=True)))
    return offsets
