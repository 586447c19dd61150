"""Handing out what nobody has had yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from consumers.models import ConsumerGroup
from consumers.services.leasing.rows import LeasedRow
from consumers.services.leasing.sharing import FreshRange, plan_fresh
from consumers.statements import run
from streams.log.protocol import Bounds


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """By whom, under which token and for how long."""

    group: ConsumerGroup
    token: UUID
    consumer: str
    ack_wait_seconds: float


class SkippedRange(NamedTuple):
    """Offsets that retention took before they were handed out."""

    partition_id: int
    round: int
    first_offset: int
    last_offset: int


@dataclass(slots=True)
class Taken:
    """What one lease has got so far.

    Attributes:
        busy_partition_ids: of picked, and so locked, deliveries that were not taken: somebody else holds the partition.
    """

    rows: list[LeasedRow] = field(default_factory=list)
    skipped: list[SkippedRange] = field(default_factory=list)
    busy_partition_ids: list[int] = field(default_factory=list)

    @property
    def event_count(self) -> int:
        return sum(row.last_offset - row.first_offset + 1 for row in self.rows)


class _FreshRow(NamedTuple):
    partition_id: int
    next_offset: int
    delivery_id: int | None
    first_offset: int
    last_offset: int
    round: int
    lease_expires_at: datetime | None


def take_fresh(
    terms: LeaseTerms, taken: Taken, *, reached: Mapping[int, int], bounds: Mapping[int, Bounds], room: int
) -> None:
    """Lease new events of partitions that nobody else is busy with; wait for one only if there is nothing else.

    Args:
        reached: how far each partition was handed out when the lease began, in the order to try.
    """
    plan = plan_fresh(reached, bounds, room)
    if not plan:
        return
    lease_planned(terms, taken, plan, in_order=False)
    if taken.rows or taken.skipped:
        return
    # Others are busy with all of these: try the rest, then wait for the first, unless a delivery is locked here.
    tried = {each.partition_id for each in plan}
    rest = {partition_id: offset for partition_id, offset in reached.items() if partition_id not in tried}
    lease_planned(terms, taken, plan_fresh(rest, bounds, room), in_order=False)
    if taken.rows or taken.skipped or taken.busy_partition_ids:
        return
    with transaction.atomic():
        run("lock_offsets", group_id=terms.group.pk, partition_ids=[plan[0].partition_id])
        lease_planned(terms, taken, plan[:1], in_order=False)


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
