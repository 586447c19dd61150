"""Handing out what nobody has had yet."""

from datetime import datetime
from typing import NamedTuple

from consumers.services.leasing.rows import LeasedRow, LeaseTerms, SkippedRange, Taken
from consumers.services.leasing.sharing import FreshRange, plan_fresh
from consumers.services.leasing.supply import Supply
from consumers.statements import run


class _FreshRow(NamedTuple):
    partition_id: int
    next_offset: int
    delivery_id: int | None
    first_offset: int
    last_offset: int
    round: int
    lease_expires_at: datetime | None


def take_fresh(terms: LeaseTerms, taken: Taken, supply: Supply, *, room: int) -> None:
    """Lease new events of partitions that nobody else is busy with; it waits for none."""
    plan = plan_fresh(supply.reached, supply.bounds, room)
    if not plan:
        return
    lease_planned(terms, taken, plan, in_order=False)
    if taken.is_nothing:
        # Others are busy with all of these: try the rest.
        tried = {each.partition_id for each in plan}
        rest = {partition_id: offset for partition_id, offset in supply.reached.items() if partition_id not in tried}
        lease_planned(terms, taken, plan_fresh(rest, supply.bounds, room), in_order=False)
    if taken.is_nothing and not taken.busy_partition_ids:
        taken.busy_partition_ids.append(plan[0].partition_id)


def lease_planned(terms: LeaseTerms, taken: Taken, plan: list[FreshRange], *, in_order: bool) -> None:
    """Lease the planned ranges as far as they are still there."""
    if not plan:
        return
    rows = run(
        "lease_fresh",
        group_id=terms.group.pk,
        token=terms.token,
        consumer=terms.consumer,
        ack_wait=terms.ack_wait_seconds,
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
            taken.rows.append(
                LeasedRow(
                    id=row.delivery_id,
                    partition_id=row.partition_id,
                    round=row.round,
                    dead_letter_id=None,
                    first_offset=row.first_offset,
                    last_offset=row.last_offset,
                    delivery_count=1,
                    failure_count=0,
                    lease_expires_at=row.lease_expires_at,
                )
            )
