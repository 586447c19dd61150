"""What groups have lost to retention: counting each offset once, and acknowledging what was counted.

Lost is what retention took before the group had finished it. What was never handed out lies above all that the group
has reached: it is counted by a tick, or by whoever is about to move the group past it, and `lost_through` keeps it from
being counted twice. What was handed out is counted where it is found gone: when it is to be handed out again, becomes a
dead letter without a copy, or ends with a seek. A lease that is held may still be acked, and is no loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from accounts.audit_actions import AuditAction
from accounts.services.audit import record
from consumers.errors import MoreThanLost
from consumers.models import ConsumerGroup, GroupOffset
from consumers.progress_queries import that_lost_uncounted
from consumers.statements import run
from streams.log import get_log, last_seen
from streams.log.protocol import Bounds, PartitionRef
from streams.lookup import StreamInfo


class LostRange(NamedTuple):
    """Offsets of one partition that are gone, both included."""

    partition_id: int
    first_offset: int
    last_offset: int


def count_losses(*, group_id: int, bounds: Mapping[int, Bounds]) -> int:
    """Count what retention took of these partitions before the group was given it; return how many events.

    Args:
        bounds: the ends of partitions, by their ids.
    """
    rows = run(
        "count_losses",
        group_id=group_id,
        partition_ids=list(bounds),
        earliest_offsets=[ends.earliest_offset for ends in bounds.values()],
    )
    return sum(last_offset - first_offset + 1 for _, first_offset, last_offset in rows)


def count_all_losses() -> int:
    """Count what retention took from any group, so that it stands there also for one that nobody reads as."""
    columns = ("group_id", "partition_id", "partition__stream__name", "partition__number")
    behind = that_lost_uncounted().order_by("group_id").values_list(*columns)
    total = 0
    for group_id, rows in groupby(behind, key=lambda row: row[0]):
        partitions = [PartitionRef(partition_id, name, number) for _, partition_id, name, number in rows]
        total += count_losses(group_id=group_id, bounds=last_seen(partitions))
    return total


def add_losses(*, group_id: int, ranges: Sequence[LostRange]) -> None:
    """Count what was handed out and found gone; the caller holds the offset rows, and tells of each range once."""
    if ranges:
        run(
            "add_losses",
            group_id=group_id,
            partition_ids=[each.partition_id for each in ranges],
            first_offsets=[each.first_offset for each in ranges],
            last_offsets=[each.last_offset for each in ranges],
        )


@dataclass(frozen=True, slots=True)
class Acknowledgment:
    """What became of an acknowledgment.

    Attributes:
        acknowledged: how many lost events it settled; 0 if that had been done before.
        lost: how many are left that nobody has acknowledged.
        lost_total: how many the group has ever lost.
    """

    acknowledged: int
    lost: int
    lost_total: int


def acknowledge_loss(*, stream: StreamInfo, group: ConsumerGroup, lost_total: int) -> Acknowledgment:
    """Settle what the group had lost when `lost_total` was seen; what it has lost since stays.

    Raises:
        MoreThanLost: the group has never lost so many: nobody can have seen that.
    """
    bounds = get_log().bounds(stream.partitions)
    with transaction.atomic():
        run("lock_offsets", group_id=group.pk, partition_ids=sorted(bounds))
        count_losses(group_id=group.pk, bounds=bounds)
        standings = list(GroupOffset.objects.filter(group=group).order_by(F("lost_at").asc(nulls_last=True), "pk"))
        total = sum(each.lost_count for each in standings)
        before = sum(each.lost_acknowledged for each in standings)
        if lost_total > total:
            raise MoreThanLost(f"{group.name} has lost {total} events so far, not {lost_total}.")
        left = max(0, lost_total - before)
        # What was lost first was seen first.
        for each in standings:
            settled = min(left, each.lost_count - each.lost_acknowledged)
            if settled:
                _settle(each, settled)
                left -= settled
        acknowledged = max(0, lost_total - before)
        if acknowledged:
            record(
                AuditAction.GROUP_LOSS_ACKNOWLEDGED,
                stream=(stream.id, stream.name),
                group=(group.pk, group.name),
                before={"lost": total - before},
                after={"lost": total - before - acknowledged, "acknowledged": acknowledged},
            )
    return Acknowledgment(acknowledged, lost=total - before - acknowledged, lost_total=total)


def _settle(standing: GroupOffset, count: int) -> None:
    standing.lost_acknowledged += count
    if standing.lost_acknowledged == standing.lost_count:
        # The next loss begins anew.
        standing.lost_first_offset = standing.lost_last_offset = standing.lost_at = None
    standing.save(update_fields=["lost_acknowledged", "lost_first_offset", "lost_last_offset", "lost_at"])
