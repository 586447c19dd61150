"""Handing out what nobody has had yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from consumers.services.leasing.rows import LeasedRow, SkippedRange, Taken
from consumers.services.leasing.sharing import FreshRange, plan_fresh
from consumers.services.leasing.supply import Supply
from consumers.statements import run


class _FreshRow(NamedTuple):
    """What a lease got of a partition: nothing (None) where retention had taken everything."""

    partition_id: int
    next_offset: int
    delivery_id: int | None
    first_offset: int
    last_offset: int
    round: int
    lease_expires_at: datetime | None


class _DealtRow(NamedTuple):
    """A range for one of several leases; without a delivery: what retention took."""

    turn: int
    partition_id: int
    round: int
    first_offset: int
    last_offset: int
    delivery_id: int | None
    lease_expires_at: datetime | None


def take_fresh(leases: Sequence[Taken], supply: Supply, *, wait_for: Sequence[int] = ()) -> None:
    """Lease new events, in the order of the leases, of partitions that nobody else is busy with.

    Args:
        wait_for: partitions whose turn is waited for; none, if a delivery is locked here.
    """
    untried = dict(supply.plain)
    wanting = [taken for taken in leases if taken.left > 0]
    first_tried: int | None = None
    while plan := plan_fresh(untried, supply.bounds, sum(taken.left for taken in wanting)):
        if len(wanting) == 1 and not wait_for:
            lease_planned(wanting[0], plan)
        else:
            _deal_out(wanting, plan, wait_for if first_tried is None else ())
        tried = {each.partition_id for each in plan}
        untried = {partition_id: offset for partition_id, offset in untried.items() if partition_id not in tried}
        still_wanting = [taken for taken in wanting if taken.is_nothing]
        # Others are busy with these; with those that were tried second too: then with all of them, very likely.
        is_vain = len(still_wanting) == len(wanting) and first_tried is not None
        wanting, first_tried = still_wanting, first_tried or plan[0].partition_id
        if is_vain:
            break
    if first_tried is not None and first_tried not in wait_for:
        for taken in (taken for taken in wanting if not taken.busy_partition_ids):
            taken.busy_partition_ids.append(first_tried)


def lease_planned(taken: Taken, plan: Sequence[FreshRange], *, in_order: bool = False) -> None:
    """Lease the planned ranges as far as they are still there."""
    if not plan:
        return
    rows = run(
        "lease_fresh",
        group_id=taken.terms.group.pk,
        token=taken.terms.token,
        consumer=taken.terms.consumer,
        ack_wait=taken.terms.ack_wait_seconds,
        is_alone=not taken.rows and sum(each.room for each in plan) == 1,
        in_order=in_order,
        partition_ids=[each.partition_id for each in plan],
        earliest_offsets=[each.bounds.earliest_offset for each in plan],
        head_offsets=[each.bounds.head_offset for each in plan],
        rooms=[each.room for each in plan],
    )
    for row in (_FreshRow(*row) for row in rows):
        if row.next_offset < row.first_offset:
            taken.skipped.append(SkippedRange(row.partition_id, row.round, row.next_offset, row.first_offset - 1))
        if row.delivery_id is not None and row.lease_expires_at is not None:
            taken.rows.append(_leased(row, row.delivery_id, row.lease_expires_at))


def _deal_out(leases: Sequence[Taken], plan: Sequence[FreshRange], wait_for: Sequence[int]) -> None:
    """Lease what there is in the planned partitions, dealt out in the order of the leases."""
    rows = run(
        "deal_fresh",
        group_id=leases[0].terms.group.pk,
        wait_for=list(wait_for),
        partition_ids=[each.partition_id for each in plan],
        earliest_offsets=[each.bounds.earliest_offset for each in plan],
        head_offsets=[each.bounds.head_offset for each in plan],
        tokens=[taken.terms.token for taken in leases],
        consumers=[taken.terms.consumer for taken in leases],
        ack_waits=[taken.terms.ack_wait_seconds for taken in leases],
        rooms=[taken.left for taken in leases],
        are_empty=[not taken.rows for taken in leases],
    )
    for row in (_DealtRow(*row) for row in rows):
        taken = leases[row.turn - 1]
        if row.delivery_id is None or row.lease_expires_at is None:
            taken.skipped.append(SkippedRange(row.partition_id, row.round, row.first_offset, row.last_offset))
        else:
            taken.rows.append(_leased(row, row.delivery_id, row.lease_expires_at))


def _leased(row: _FreshRow | _DealtRow, delivery_id: int, lease_expires_at: datetime) -> LeasedRow:
    return LeasedRow(
        id=delivery_id,
        partition_id=row.partition_id,
        round=row.round,
        dead_letter_id=None,
        first_offset=row.first_offset,
        last_offset=row.last_offset,
        delivery_count=1,
        failure_count=0,
        lease_expires_at=lease_expires_at,
    )
