"""The answer to a lease: what was taken, with its events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError

from consumers import metrics
from consumers.models import ConsumerGroup
from consumers.services.bodies import Body, read_bodies
from consumers.services.leasing.mend import give_back_unread, mend
from consumers.services.leasing.rows import LeasedRow, SkippedRange, Taken
from streams.errors import LogUnavailable
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo, renewed


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
    """The answer to a lease: deliveries, perhaps none, and what retention took from the group.

    Attributes:
        gaps: what this lease came across.
        lost: how many events the group has lost that nobody has acknowledged.
        waited_seconds: how long this call waited for events, which is no work and no slowness.
        suspected: how many unfinished events of the group are under suspicion, those of this answer included.
    """

    deliveries: list[LeasedDelivery] = field(default_factory=list)
    gaps: list[LostRange] = field(default_factory=list)
    lost: int = 0
    waited_seconds: float = 0.0
    suspected: int = 0

    @property
    def is_isolating(self) -> bool:
        return self.suspected > 0

    @property
    def is_nothing(self) -> bool:
        return not self.deliveries and not self.gaps


def hand_out(
    stream: StreamInfo, group: ConsumerGroup, leases: Sequence[Taken], *, lost: int = 0, suspected: int = 0
) -> list[Leased | Exception]:
    """Read the events of what was taken, outside of any transaction, and put each answer together.

    Args:
        lost: what the group had lost before, without what is found gone here.
        suspected: what is under suspicion, for every answer alike.
    """
    partitions = {partition.id: partition for partition in stream.partitions}
    if any(row.partition_id not in partitions for taken in leases for row in taken.rows):
        # What comes again is picked wherever it is: also in a partition that was added on another worker meanwhile.
        partitions = {partition.id: partition for partition in renewed(stream).partitions}
    answers: list[Leased | Exception] = []
    try:
        bodies = read_bodies([taken.rows for taken in leases], partitions)
    except LogUnavailable as error:
        # Nobody has seen them: an engine that is away must not make deliveries fail.
        for taken in leases:
            give_back_unread(taken.terms, taken.rows)
        return [LogUnavailable(error.alias, error.reason) for _ in leases]
    for taken in leases:
        try:
            rows, gone = mend(taken.terms, taken.rows, bodies)
        except DatabaseError as error:
            answers.append(error)
        else:
            lost += sum(each.last_offset - each.first_offset + 1 for each in gone)
            answers.append(_answer(partitions, taken, rows, gone, bodies, lost=lost, suspected=suspected))
    _count(stream, group, [answer for answer in answers if isinstance(answer, Leased)])
    return answers


def _answer(
    partitions: Mapping[int, PartitionRef],
    taken: Taken,
    rows: Sequence[LeasedRow],
    gone: Sequence[SkippedRange],
    bodies: Mapping[int, Body],
    *,
    lost: int,
    suspected: int,
) -> Leased:
    return Leased(
        deliveries=[
            LeasedDelivery(
                id=row.id,
                token=taken.terms.token,
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
            for each in (*taken.skipped, *gone)
        ],
        lost=lost,
        suspected=suspected,
    )


def _count(stream: StreamInfo, group: ConsumerGroup, answers: Sequence[Leased]) -> None:
    events = sum(len(delivery.events) for answer in answers for delivery in answer.deliveries)
    metrics.count_deliveries(stream.name, group.name, "leased", events)
