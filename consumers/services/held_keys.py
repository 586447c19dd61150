"""Which keys hold up events of a group, and by what."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from consumers.models import ConsumerGroup, GroupOffset, Mode
from consumers.services.bodies import read_bodies
from consumers.services.offsets import require_mode
from consumers.statements import run_by_key
from streams.lookup import StreamInfo, renewed
from streams.stored_event import routing_of

MAX_HELD_KEYS = 100


class _HeldKeyRow(NamedTuple):
    partition_id: int
    first_offset: int
    last_offset: int
    id: int
    dead_letter_id: int | None
    held_up: int
    since: datetime
    state: str
    delivery_count: int
    failure_count: int
    leased_by: str
    expires_at: datetime | None
    available_at: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key that holds up events, in one partition.

    Attributes:
        key: None where retention has taken the event that has it.
        held_up: how many events wait for their turn.
        since: when the first of them was found to have to wait.
        offset: of the event that holds them up.
        delivery_id: of its delivery.
        state: where that stands at this moment: leased, waiting or exhausted.
        leased_by: who has it, or had it last.
        expires_at, available_at: until when it is leased, or from when on it may be.
    """

    partition: int
    key: str | None
    held_up: int
    since: datetime
    offset: int
    delivery_id: int
    state: str
    delivery_count: int
    failure_count: int
    leased_by: str
    expires_at: datetime | None
    available_at: datetime | None
    last_error: str


def count_held_up(group: ConsumerGroup) -> int:
    """Return how many events of the group are held up, of all keys; their number is kept, not counted here."""
    return sum(standing.held_up_count for standing in GroupOffset.objects.filter(group=group).only("held_up_count"))


def list_held_keys(*, stream: StreamInfo, group: ConsumerGroup, limit: int = MAX_HELD_KEYS) -> list[HeldKey]:
    """Return up to `limit` keys that hold up events, the longest first.

    Raises:
        WrongMode: the group commits offsets.
    """
    require_mode(group, Mode.LEASE)
    rows = [_HeldKeyRow(*row) for row in run_by_key("held_keys", group_id=group.pk, max_keys=limit)]
    partitions = {partition.id: partition for partition in stream.partitions}
    if any(row.partition_id not in partitions for row in rows):
        partitions = {partition.id: partition for partition in renewed(stream).partitions}
    rows = [row for row in rows if row.partition_id in partitions]
    # Each as an answer of its own: one that is large leaves no other one out.
    bodies = read_bodies([[row] for row in rows], partitions)
    return [
        HeldKey(
            partition=partitions[row.partition_id].number,
            key=routing_of(bodies[row.id].events[0]).key if bodies[row.id].events else None,
            held_up=row.held_up,
            since=row.since,
            offset=row.first_offset,
            delivery_id=row.id,
            state=row.state,
            delivery_count=row.delivery_count,
            failure_count=row.failure_count,
            leased_by=row.leased_by,
            expires_at=row.expires_at,
            available_at=row.available_at,
            last_error=row.last_error,
        )
        for row in rows
    ]
