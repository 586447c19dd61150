"""Moving a group's committed offsets on purpose, back or forth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts.audit_actions import AuditAction
from accounts.services.audit import record
from consumers.errors import OffsetBeyondHead
from consumers.models import ConsumerGroup, DeadLetter, Delivery, DeliveryHistory, GroupOffset, Mode
from consumers.services.dead_letters.fate import end_redrives
from consumers.services.losses import LostRange, add_losses, count_losses
from consumers.services.wakeup import wake_consumers
from consumers.statements import run
from consumers.states import DeadLetterStatus, DeliveryState, Outcome, RedriveOutcome
from streams.errors import PartitionRequired
from streams.log import get_log
from streams.log.protocol import Bounds, PartitionRef
from streams.lookup import StreamInfo, partition_of, renewed

# Of what a seek passes by.
MAX_PASSED_RANGES: Final = 1_000
SOUGHT_BACK_NOTE = "The group was sought back: the event is handed out again with the others."


class SeekTo(StrEnum):
    EARLIEST = "earliest"
    LATEST = "latest"
    OFFSET = "offset"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class SeekTarget:
    """Where to. `offset` is the committed offset to have: reading goes on after it."""

    to: SeekTo
    offset: int = 0
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeekResult:
    """What a seek did, or would do, in one partition.

    Attributes:
        events_affected: kept events that are read again (backward) or never (forward).
        deliveries_fenced: unfinished ones that end here; whoever holds one has lost its lease.
        dead_letters_resolved: of events that are handed out again.
    """

    partition: int
    from_offset: int
    to_offset: int
    events_affected: int
    deliveries_fenced: int = 0
    dead_letters_resolved: int = 0


def seek_group(
    *,
    stream: StreamInfo,
    group: ConsumerGroup,
    target: SeekTarget,
    partition: int | None = None,
    is_dry_run: bool = False,
) -> list[SeekResult]:
    """Move the committed offset of one partition, or of all; a dry run only says what would happen.

    In lease mode everything that is handed out and not redriven is fenced off: its leases are lost, and what
    lies beyond the new offset is handed out as if for the first time.

    Raises:
        PartitionNotFound
        PartitionRequired: an offset on a stream with several partitions.
        OffsetBeyondHead: nothing with that offset has been appended yet.
    """
    if not is_dry_run:
        # None that was added a moment ago is left behind.
        stream = renewed(stream)
    partitions = stream.partitions if partition is None else (partition_of(stream, partition),)
    if target.to is SeekTo.OFFSET and len(partitions) > 1:
        raise PartitionRequired(f"{stream.name} has {len(partitions)} partitions: say in which one this offset is.")
    bounds = get_log().bounds(partitions)
    goals = {each: _goal(each, target, bounds[each.id]) for each in partitions if each.id in bounds}
    with transaction.atomic():
        if not is_dry_run:
            run("lock_offsets", group_id=group.pk, partition_ids=sorted(each.id for each in goals))
            # What is lost stays lost, wherever the group goes.
            count_losses(group_id=group.pk, bounds=bounds)
        standings = GroupOffset.objects.filter(group=group, partition_id__in=[each.id for each in goals])
        by_partition = {standing.partition_id: standing for standing in standings}
        results = [
            _seek(group, each, by_partition[each.id], goal, bounds, is_dry_run=is_dry_run)
            for each, goal in goals.items()
            if each.id in by_partition
        ]
        if not is_dry_run:
            record(
                AuditAction.GROUP_SOUGHT,
                stream=(stream.id, stream.name),
                group=(group.pk, group.name),
                before={"committed_offsets": {str(each.partition): each.from_offset for each in results}},
                after={
                    "to": target.to,
                    "committed_offsets": {str(each.partition): each.to_offset for each in results},
                    "events_affected": total_affected(results),
                },
            )
        return results


def _goal(partition: PartitionRef, target: SeekTarget, ends: Bounds) -> int:
    """The committed offset to have. What retention took is not sought: there is nothing to read again."""
    if target.to is SeekTo.LATEST:
        return ends.head_offset
    if target.to is SeekTo.OFFSET:
        if target.offset > ends.head_offset:
            raise OffsetBeyondHead(
                f"Partition {partition.number} ends at offset {ends.head_offset}; {target.offset} does not exist yet."
            )
        return max(target.offset, ends.earliest_offset - 1)
    if target.to is SeekTo.TIMESTAMP and target.timestamp is not None:
        return get_log().offset_at(partition, target.timestamp) - 1
    return ends.earliest_offset - 1


def _seek(
    group: ConsumerGroup,
    partition: PartitionRef,
    standing: GroupOffset,
    goal: int,
    bounds: Mapping[int, Bounds],
    *,
    is_dry_run: bool,
) -> SeekResult:
    before = standing.committed_offset
    kept = bounds[partition.id].earliest_offset - 1
    fenced, reopened = _fenced(group, partition, goal), _handed_out_again(group, partition, standing, goal)
    result = SeekResult(
        partition.number,
        before,
        goal,
        events_affected=abs(max(goal, kept) - max(before, kept)),
        deliveries_fenced=fenced.count(),
        dead_letters_resolved=reopened.count(),
    )
    if is_dry_run:
        return result
    add_losses(group_id=group.pk, ranges=_found_gone(fenced, kept))
    changes = {"committed_offset": goal, "committed_at": Now(), "start_offset": min(standing.start_offset, goal)}
    if group.mode == Mode.LEASE:
        new_round = run("next_round", group_id=group.pk, partition_id=partition.id)[0][0]
        changes |= {"dispatched_offset": goal, "round": new_round, "held_up_count": 0}
        if standing.key_order_after is not None:
            # Nothing is left of what was handed out before.
            changes["key_order_after"] = 0
        redriven = list(reopened.filter(status=DeadLetterStatus.REDRIVEN).values_list("pk", flat=True))
        end_redrives(redriven, RedriveOutcome.SUPERSEDED)
        reopened.update(status=DeadLetterStatus.RESOLVED, closed_at=Now(), note=SOUGHT_BACK_NOTE)
        # What was given up on across the goal: its part before the goal stays, to become dead letters.
        fenced.filter(state=DeliveryState.EXHAUSTED, first_offset__lte=goal).update(last_offset=goal)
        passed_by = _passed_by(fenced, standing, goal, kept)
        fenced.delete()
        _record_passed_by(group, partition, standing, goal, passed_by)
    GroupOffset.objects.filter(pk=standing.pk).update(**changes)
    wake_consumers([partition.id])
    return result


def _fenced(group: ConsumerGroup, partition: PartitionRef, goal: int) -> QuerySet[Delivery]:
    """Deliveries that end: all in the group's order, and redrives of what is handed out again.

    What the group has given up on and does not meet again stays, to become a dead letter.
    """
    own = Delivery.objects.filter(group=group, partition_id=partition.id)
    given_up = Q(state=DeliveryState.EXHAUSTED, last_offset__lte=goal)
    return own.filter(Q(dead_letter__isnull=True) | Q(first_offset__gt=goal)).exclude(given_up)


def _found_gone(fenced: QuerySet[Delivery], kept: int) -> list[LostRange]:
    """What waited, for its next attempt or its key, and is gone: nobody will come across it any more."""
    gone = fenced.filter(
        state__in=[DeliveryState.WAITING, DeliveryState.HELD_UP], dead_letter__isnull=True, first_offset__lte=kept
    )
    rows = gone.values_list("partition_id", "first_offset", "last_offset")
    return [LostRange(partition_id, first, min(last, kept)) for partition_id, first, last in rows]


def _handed_out_again(
    group: ConsumerGroup, partition: PartitionRef, standing: GroupOffset, goal: int
) -> QuerySet[DeadLetter]:
    """Dead letters of events between the goal and what was handed out: the group meets those again."""
    if group.mode != Mode.LEASE or goal >= max(standing.committed_offset, standing.dispatched_offset):
        return DeadLetter.objects.none()
    return DeadLetter.objects.filter(
        group=group,
        partition_id=partition.id,
        offset__gt=goal,
        status__in=[DeadLetterStatus.OPEN, DeadLetterStatus.REDRIVEN],
    )


def _passed_by(fenced: QuerySet[Delivery], standing: GroupOffset, goal: int, kept: int) -> list[tuple[str, int, int]]:
    """What a seek leaves behind that nobody has finished, as (outcome, first and last offset).

    As `lost` counts: what retention took before is lost, unless somebody had it.
    """
    rows = fenced.filter(dead_letter__isnull=True, first_offset__lte=goal).order_by("first_offset")
    beyond = ("", max(standing.committed_offset, standing.dispatched_offset) + 1, goal)
    ranges: list[tuple[str, int, int]] = []
    for state, first, last in chain(rows.values_list("state", "first_offset", "last_offset").iterator(), [beyond]):
        if len(ranges) >= MAX_PASSED_RANGES:
            # Events for later may lie among finished ones by the hundred thousand: what follows is told in one.
            _extend(ranges, Outcome.SKIPPED, first, goal)
            break
        gone = 0 if state == DeliveryState.LEASED else kept
        _extend(ranges, Outcome.LOST, first, min(last, goal, gone))
        _extend(ranges, Outcome.SKIPPED, max(first, gone + 1), min(last, goal))
    return ranges


def _extend(ranges: list[tuple[str, int, int]], outcome: Outcome, first: int, last: int) -> None:
    """Add a range, which may be empty, or make the one before it longer."""
    if first > last:
        return
    if ranges and (ranges[-1][0], ranges[-1][2] + 1) == (outcome, first):
        first = ranges.pop()[1]
    ranges.append((outcome, first, last))


def _record_passed_by(
    group: ConsumerGroup,
    partition: PartitionRef,
    standing: GroupOffset,
    goal: int,
    passed_by: Sequence[tuple[str, int, int]],
) -> None:
    """Say which events are passed by, and no longer that those are which the group has before it again."""
    skipped = {"group": group, "partition_id": partition.id, "outcome": Outcome.SKIPPED.value}
    DeliveryHistory.objects.filter(**skipped, first_offset__gt=goal).delete()
    DeliveryHistory.objects.filter(**skipped, last_offset__gt=goal).update(last_offset=goal)
    DeliveryHistory.objects.bulk_create(
        DeliveryHistory(
            group=group,
            partition_id=partition.id,
            round=standing.round,
            first_offset=first,
            last_offset=last,
            outcome=outcome,
            delivery_count=0,
            failure_count=0,
            ended_at=Now(),
        )
        for outcome, first, last in passed_by
    )


def total_affected(results: Sequence[SeekResult]) -> int:
    return sum(result.events_affected for result in results)
