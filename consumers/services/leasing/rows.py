"""The shapes in which deliveries travel between the statements and the rules."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from consumers.isolation import HeldRange
from consumers.models import ConsumerGroup

# A lease: the delivery's id and the token. One token may be that of several deliveries, a delivery has had several.
Key = tuple[int, UUID]


class LeaseTerms(NamedTuple):
    """By whom, under which token and for how long."""

    group: ConsumerGroup
    token: UUID
    consumer: str
    ack_wait_seconds: float


class Pulse(NamedTuple):
    """What a lease knows of its group before it begins: `group_pulse.sql`. Seconds: negative is overdue.

    `now` is by the clock of the database, which recorded the events too.
    """

    in_flight: int
    has_exhausted: bool
    seconds_until_due: float | None
    seconds_until_due_alone: float | None
    seconds_until_due_suspect: float | None
    seconds_until_expiry: float | None
    seconds_until_lapse: float | None
    suspected: int
    lost: int
    now: datetime
    partition_ids: list[int]
    committed_offsets: list[int]
    dispatched_offsets: list[int]
    lost_through: list[int]

    @property
    def has_due(self) -> bool:
        return self.seconds_until_due is not None and self.seconds_until_due <= 0

    @property
    def has_due_alone(self) -> bool:
        return self.seconds_until_due_alone is not None and self.seconds_until_due_alone <= 0

    @property
    def has_due_suspect(self) -> bool:
        return self.seconds_until_due_suspect is not None and self.seconds_until_due_suspect <= 0

    @property
    def has_expired(self) -> bool:
        return self.seconds_until_expiry is not None and self.seconds_until_expiry <= 0

    @property
    def has_lapsed(self) -> bool:
        return self.seconds_until_lapse is not None and self.seconds_until_lapse <= 0

    @property
    def seconds_until_something(self) -> float | None:
        """When a timer of the group runs out next, or None if none is running."""
        timers = (
            self.seconds_until_due,
            self.seconds_until_due_alone,
            self.seconds_until_due_suspect,
            self.seconds_until_expiry,
        )
        return min((seconds for seconds in timers if seconds is not None), default=None)


class DueRow(NamedTuple):
    """A waiting delivery that was picked and may be leased now."""

    id: int
    partition_id: int
    round: int
    dead_letter_id: int | None
    first_offset: int
    last_offset: int
    suspect_limit: int = 0

    @property
    def event_count(self) -> int:
        return self.last_offset - self.first_offset + 1


class LeasedRow(NamedTuple):
    """A delivery that is ours for now."""

    id: int
    partition_id: int
    round: int
    dead_letter_id: int | None
    first_offset: int
    last_offset: int
    delivery_count: int
    failure_count: int
    lease_expires_at: datetime


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
        room: how many events it may have.
        busy_partition_ids: where there may be more, which somebody else holds now.
    """

    terms: LeaseTerms
    room: int
    rows: list[LeasedRow] = field(default_factory=list)
    skipped: list[SkippedRange] = field(default_factory=list)
    busy_partition_ids: list[int] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        return not self.rows and not self.skipped

    @property
    def event_count(self) -> int:
        return sum(row.last_offset - row.first_offset + 1 for row in self.rows)

    @property
    def left(self) -> int:
        return self.room - self.event_count


class HeldRow(NamedTuple):
    """A leased delivery whose lease is about to end. `has_lapsed`: its events have expired meanwhile."""

    id: int
    partition_id: int
    round: int
    dead_letter_id: int | None
    first_offset: int
    last_offset: int
    delivery_count: int
    failure_count: int
    is_alone: bool
    suspect_limit: int
    lease_token: UUID
    leased_by: str
    leased_at: datetime
    has_lapsed: bool

    @property
    def event_count(self) -> int:
        return self.last_offset - self.first_offset + 1

    def as_range(self, *, answer_count: int | None = None) -> HeldRange:
        """What the rules want to know of it; `answer_count`: events of its kind in the same answer, itself included."""
        return HeldRange(
            self.first_offset,
            self.last_offset,
            self.delivery_count,
            self.failure_count,
            is_alone=self.is_alone,
            suspect_limit=self.suspect_limit,
            answer_count=self.event_count if answer_count is None else answer_count,
        )
