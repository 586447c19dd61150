"""The answer to a lease: what was taken, with its events."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from consumers import metrics
from consumers.services.bodies import read_bodies
from consumers.services.leasing.mend import mend
from consumers.services.leasing.rows import LeaseTerms, Taken
from streams.lookup import StreamInfo


@dataclass(frozen=True, slots=True)
class LeasedDelivery:
    """A delivery that was handed out, with its events as JSON."""

    id: int
    token: UUID
    partition: int
    first_offset: int
    last_offset: int
    delivery_count: int
    failure_count: int
    round: int
    dead_letter_id: int | None
    expires_at: datetime
    events: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class LostRange:
    """Offsets that retention took before the group was given them, both included."""

    partition: int
    first_offset: int
    last_offset: int


@dataclass(slots=True)
class Leased:
    """The answer to a lease: deliveries, perhaps none, and what retention took from the group."""

    deliveries: list[LeasedDelivery] = field(default_factory=list)
    gaps: list[LostRange] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        return not self.deliveries and not self.gaps


def hand_out(stream: StreamInfo, terms: LeaseTerms, taken: Taken) -> Leased:
    """Read the events of what was taken, outside of any transaction, and put the answer together."""
    partitions = {partition.id: partition for partition in stream.partitions}
    bodies = read_bodies(taken.rows, partitions)
    rows, lost = mend(terms, taken.rows, bodies)
    leased = Leased(
        deliveries=[
            LeasedDelivery(
                id=row.id,
                token=terms.token,
                partition=partitions[row.partition_id].number,
                first_offset=row.first_offset,
                last_offset=row.last_offset,
                delivery_count=row.delivery_count,
                failure_count=row.failure_count,
                round=row.round,
                dead_letter_id=row.dead_letter_id,
                expires_at=row.lease_expires_at,
                events=bodies[row.id].events,
            )
            for row in rows
        ],
        gaps=[
            LostRange(partitions[each.partition_id].number, each.first_offset, each.last_offset)
            for each in (*taken.skipped, *lost)
        ],
    )
    _count(stream, terms, leased)
    return leased


def _count(stream: StreamInfo, terms: LeaseTerms, leased: Leased) -> None:
    events = sum(len(delivery.events) for delivery in leased.deliveries)
    metrics.count_deliveries(stream.name, terms.group.name, "leased", events)
    for gap in leased.gaps:
        metrics.count_lost(stream.name, terms.group.name, gap.last_offset - gap.first_offset + 1)
