"""What a person holds from the dashboard, found again after a page was left: their leases with their events."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from consumers.browser_leases import held_by
from consumers.conf import MAX_LEASE_DELIVERIES
from consumers.models import ConsumerGroup
from consumers.services.bodies import read_bodies
from consumers.services.leasing.answer import LeasedDelivery
from consumers.statements import run
from streams.lookup import StreamInfo, renewed


class _HeldRow(NamedTuple):
    id: int
    partition_id: int
    dead_letter_id: int | None
    first_offset: int
    last_offset: int
    delivery_count: int
    failure_count: int
    round: int
    token: UUID
    leased_by: str
    expires_at: datetime
    left_seconds: float


@dataclass(frozen=True, slots=True)
class HeldDelivery(LeasedDelivery):
    """A delivery that a person holds, or held until a moment ago.

    Fewer events than it has, where so many do not fit or retention took some.

    Attributes:
        left_seconds: by the database's clock; not above 0 when it has run out.
    """

    leased_by: str
    left_seconds: float


def list_held_in_browsers(
    *, stream: StreamInfo, group: ConsumerGroup, user_id: int, max_bytes: int
) -> list[HeldDelivery]:
    """Return what a person holds of the group from the dashboard, the first to run out first; at most a hundred."""
    rows = [
        _HeldRow(*row)
        for row in run("held_in_browsers", group_id=group.pk, held_by=held_by(user_id), max_rows=MAX_LEASE_DELIVERIES)
    ]
    partitions = {partition.id: partition for partition in stream.partitions}
    if any(row.partition_id not in partitions for row in rows):
        partitions = {partition.id: partition for partition in renewed(stream).partitions}
    rows = [row for row in rows if row.partition_id in partitions]
    bodies = read_bodies([rows], partitions, max_bytes=max_bytes)
    return [
        HeldDelivery(
            id=row.id,
            token=row.token,
            partition=partitions[row.partition_id].number,
            first_offset=row.first_offset,
            last_offset=row.last_offset,
            delivery_count=row.delivery_count,
            failure_count=row.failure_count,
            round=row.round,
            dead_letter_id=row.dead_letter_id,
            leased_by=row.leased_by,
            expires_at=row.expires_at,
            left_seconds=row.left_seconds,
            events=bodies[row.id].events,
        )
        for row in rows
    ]
