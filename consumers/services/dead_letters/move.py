"""Moving exhausted deliveries to the dead letters.

Celery gives the tick, a lease that meets one makes the same move itself, and any number may do it at once. A step
is one transaction: the deliveries go and their dead letters come together, so it does not matter where it is killed.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from django.db import transaction

from consumers import metrics
from consumers.conf import MAX_LEASE_EVENTS, RECONCILE_STEP_BYTES, RECONCILE_STEP_DELIVERIES
from consumers.models import ConsumerGroup
from consumers.queries import partitions_of
from consumers.services.bodies import Body, read_bodies
from consumers.services.dead_letters.copies import DeadEvent, add_dead_letters
from consumers.services.dead_letters.fate import end_redrives
from consumers.services.key_order import EndedKey, let_next_go
from consumers.services.losses import LostRange, add_losses
from consumers.statements import run
from consumers.states import ExhaustedReason, RedriveOutcome
from streams.log import get_log


class ExhaustedRow(NamedTuple):
    """A delivery that its group has given up on."""

    id: int
    partition_id: int
    round: int
    dead_letter_id: int | None
    first_offset: int
    last_offset: int
    delivery_count: int
    failure_count: int
    reason: str
    error: str


def move_exhausted(*, group: ConsumerGroup, max_deliveries: int = RECONCILE_STEP_DELIVERIES) -> int:
    """Move exhausted deliveries of the group to the dead letters, in one transaction; return how many events."""
    found = [ExhaustedRow(*row) for row in run("find_exhausted", group_id=group.pk, max_rows=max_deliveries)]
    if not found:
        return 0
    partitions = partitions_of(group)
    # Other engines are not asked inside the transaction; nothing is erased there, so nothing has to be held.
    is_elsewhere = any(partitions[row.partition_id].epochs for row in found)
    bodies = read_bodies([found], partitions, max_bytes=RECONCILE_STEP_BYTES) if is_elsewhere else {}
    with transaction.atomic():
        partition_ids = sorted({row.partition_id for row in found})
        run("lock_offsets", group_id=group.pk, partition_ids=partition_ids)
        if not is_elsewhere:
            # What is erased from now on finds the copies.
            get_log().hold([partitions[each] for each in partition_ids])
            bodies = read_bodies([found], partitions, max_bytes=RECONCILE_STEP_BYTES)
        # What one step has no room for, a following one moves.
        found = [row for row in found if bodies[row.id].reached >= row.first_offset]
        taken = run(
            "take_exhausted",
            delivery_ids=[row.id for row in found],
            first_offsets=[row.first_offset for row in found],
            last_offsets=[bodies[row.id].reached for row in found],
        )
        ours = {row[0] for row in taken}
        dead = [event for row in found if row.id in ours for event in _dead_events(row, bodies)]
        added = add_dead_letters(group_id=group.pk, dead=dead)
        gone = [LostRange(each.partition_id, each.offset, each.offset) for each in dead if each.event is None]
        add_losses(group_id=group.pk, ranges=gone)
        run("copy_attempts", dead_letter_ids=[each.id for each in added], max_range=MAX_LEASE_EVENTS)
        end_redrives(
            [row.dead_letter_id for row in found if row.dead_letter_id and row.id in ours], RedriveOutcome.DEAD_AGAIN
        )
        run("advance_offsets", group_id=group.pk, partition_ids=partition_ids)
        let_next_go(group.pk, [EndedKey(partition_id, key_hash) for _, partition_id, key_hash in taken])
    _count(group, dead)
    return len(dead)


def _dead_events(row: ExhaustedRow, bodies: Mapping[int, Body]) -> list[DeadEvent]:
    """Each event of a delivery, as far as it was read; those that retention took have no copy."""
    body = bodies[row.id]
    lost = range(row.first_offset, min(body.kept_from, body.reached + 1))
    copies: list[tuple[int, bytes | None]] = [(offset, None) for offset in lost]
    copies += zip(body.offsets, body.events, strict=True)
    return [
        DeadEvent(
            row.partition_id,
            offset,
            row.round,
            copy,
            ExhaustedReason(row.reason),
            row.delivery_count,
            row.failure_count,
            row.error,
        )
        for offset, copy in copies
    ]


def _count(group: ConsumerGroup, dead: Sequence[DeadEvent]) -> None:
    for reason, events in groupby(sorted(each.reason for each in dead)):
        metrics.count_dead_letters(group.stream.name, group.name, reason, len(list(events)))
