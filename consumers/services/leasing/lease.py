"""Handing out events: `lease_deliveries`."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from uuid_utils.compat import uuid7

from consumers import metrics
from consumers.conf import LEASE_IDLE_RECHECK_SECONDS, LEASE_RECHECK_SECONDS
from consumers.errors import ConsumerGroupNotFound
from consumers.models import ConsumerGroup, Mode, Ordering
from consumers.services.bodies import read_bodies
from consumers.services.dead_letters.move import move_exhausted
from consumers.services.leasing.due import take_alone, take_due
from consumers.services.leasing.expiry import expire_leases
from consumers.services.leasing.fresh import LeaseTerms, Taken, take_fresh
from consumers.services.leasing.in_order import take_in_order
from consumers.services.leasing.mend import mend, record_skipped
from consumers.services.leasing.rows import Pulse
from consumers.services.leasing.sharing import room_for_due
from consumers.services.offsets import require_mode
from consumers.statements import run
from streams.log import get_log
from streams.log.protocol import Bounds, PartitionRef
from streams.log.wakeup import get_wakeups
from streams.lookup import StreamInfo
from streams.stopping import is_stopping

# The ends of partitions as this process last saw them.
_last_bounds: dict[int, Bounds] = {}
_REMEMBERED_PARTITIONS = 10_000
# Where this many leases at once could pass max_in_flight, they take turns.
_LEASES_AT_ONCE = 16


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


def lease_deliveries(
    *,
    stream: StreamInfo,
    group: ConsumerGroup,
    consumer: str,
    max_events: int,
    ack_wait_seconds: float | None = None,
    wait_seconds: float = 0.0,
) -> Leased:
    """Hand out events of the group to one consumer, to nobody else until the ack wait is over.

    Waits up to `wait_seconds` where there is nothing to hand out; a waiting call holds no database
    connection. A paused group hands out nothing.

    Raises:
        WrongMode: the group commits offsets.
        ConsumerGroupNotFound: it was deleted while this call was waiting.
    """
    require_mode(group, Mode.LEASE)
    deadline = time.monotonic() + wait_seconds
    if not wait_seconds:
        return _Attempt(stream, group, consumer, max_events, ack_wait_seconds).leased
    # Watching begins before the look: an append in between wakes us, none is missed.
    with get_wakeups().watch([partition.id for partition in stream.partitions]) as watch:
        while True:
            attempt = _Attempt(stream, group, consumer, max_events, ack_wait_seconds)
            remaining = deadline - time.monotonic()
            if attempt.leased.deliveries or attempt.leased.gaps or remaining <= 0 or is_stopping():
                return attempt.leased
            for partition_id, ends in attempt.bounds.items():
                watch.saw(partition_id, ends.head_offset)
            connection.close()
            watch.wait(min(remaining, attempt.look_again_seconds))
            group = _current(group)


def _current(group: ConsumerGroup) -> ConsumerGroup:
    current = ConsumerGroup.objects.select_related("stream").filter(pk=group.pk).first()
    if current is None:
        raise ConsumerGroupNotFound
    return current


def read_pulse(group: ConsumerGroup) -> Pulse:
    """Look at what the group has in hand."""
    row = run("group_pulse", group_id=group.pk, max_in_flight=group.max_in_flight)[0]
    return Pulse(*row[:5], *(list(values or ()) for values in row[5:]))


class _Attempt:
    """One look at a group, which hands out what there is."""

    def __init__(
        self,
        stream: StreamInfo,
        group: ConsumerGroup,
        consumer: str,
        max_events: int,
        ack_wait_seconds: float | None,
    ) -> None:
        self.stream = stream
        self.group = group
        self.partitions: dict[int, PartitionRef] = {partition.id: partition for partition in stream.partitions}
        self.leased = Leased()
        self.bounds: Mapping[int, Bounds] = {}
        self.terms = LeaseTerms(group, uuid7(), consumer, ack_wait_seconds or group.ack_wait_seconds)
        self.pulse = self._tidy(read_pulse(group))
        room = min(max_events, group.max_in_flight - self.pulse.in_flight)
        if group.is_paused or room <= 0:
            return
        self.bounds = self._ends(room)
        self._hand_out(self._take(room))

    @property
    def look_again_seconds(self) -> float:
        """How long nothing can happen that would not wake us: a timer, or another consumer's ack or nack."""
        timer = self.pulse.seconds_until_something
        if timer is None:
            return LEASE_RECHECK_SECONDS if self.group.is_paused else LEASE_IDLE_RECHECK_SECONDS
        # What is overdue and was not handed out is held up by something without a timer: the group is paused or has
        # enough in flight, the order wants another first, or somebody else is taking it.
        return min(LEASE_RECHECK_SECONDS, timer) if timer > 0 else LEASE_RECHECK_SECONDS

    def _tidy(self, pulse: Pulse) -> Pulse:
        """Do one step of the reconciler's work where it is due: deliveries must not depend on Celery."""
        if not pulse.has_expired and not pulse.has_exhausted:
            return pulse
        expire_leases(group=self.group)
        move_exhausted(group=self.group)
        return read_pulse(self.group)

    def _ends(self, room: int) -> Mapping[int, Bounds]:
        """The ends of the partitions: as they were when last asked for, if that is enough to fill the room.

        The head never goes back, and a lease finds out by itself what retention took meanwhile.
        """
        looked_up = ((pk, _last_bounds.get(pk)) for pk in self.partitions)
        remembered = {pk: ends for pk, ends in looked_up if ends is not None}
        known = sum(
            max(0, remembered[pk].head_offset - offset) for pk, offset in self._reached().items() if pk in remembered
        )
        if known >= room:
            return remembered
        ends = get_log().bounds(self.stream.partitions)
        if len(_last_bounds) > _REMEMBERED_PARTITIONS:
            _last_bounds.clear()
        _last_bounds.update(ends)
        return ends

    def _take(self, room: int) -> Taken:
        """Lease what there is: new events alone in one statement, anything else in one transaction."""
        taken = Taken()
        if self._is_plain(room):
            take_fresh(self.terms, taken, reached=self._reached(), bounds=self.bounds, room=room)
            return taken
        taken = self._take_carefully(room)
        if taken.busy_partition_ids and not taken.rows and not taken.skipped:
            # Nothing else was there: wait for it, before any delivery is locked.
            taken = self._take_carefully(room, wait_for=taken.busy_partition_ids)
        return taken

    def _take_carefully(self, room: int, *, wait_for: Sequence[int] = ()) -> Taken:
        taken = Taken()
        with transaction.atomic():
            if self.pulse.in_flight + _LEASES_AT_ONCE * room > self.group.max_in_flight:
                run("lock_group", group_id=self.group.pk)
                room = min(room, self.group.max_in_flight - read_pulse(self.group).in_flight)
            if room <= 0:
                return taken
            if wait_for:
                run("lock_offsets", group_id=self.group.pk, partition_ids=wait_for)
            if self.group.ordering == Ordering.PARTITION:
                take_in_order(self.terms, taken, reached=self._reached(), bounds=self.bounds, room=room)
            else:
                self._take_in_any_order(taken, room)
            if taken.skipped:
                record_skipped(self.group, taken.skipped)
        return taken

    def _is_plain(self, room: int) -> bool:
        """Whether nothing failed is due, nothing was lost, and the limit is far: most leases are like that."""
        return (
            self.group.ordering == Ordering.NONE
            and not self.pulse.has_due
            and not self.pulse.has_due_alone
            and self.pulse.in_flight + _LEASES_AT_ONCE * room <= self.group.max_in_flight
            and all(
                offset >= self.bounds[pk].earliest_offset - 1
                for pk, offset in self._reached().items()
                if pk in self.bounds
            )
        )

    def _take_in_any_order(self, taken: Taken, room: int) -> None:
        reached = self._reached()
        has_fresh = any(
            offset < self.bounds[partition_id].head_offset
            for partition_id, offset in reached.items()
            if partition_id in self.bounds
        )
        has_other = self.pulse.has_due or has_fresh
        if self.pulse.has_due_alone and (_toss() or not has_other):
            take_alone(self.terms, taken, room=room)
            if taken.rows:
                return
        due_room = room_for_due(room, has_due=self.pulse.has_due, has_fresh=has_fresh, coin=_toss())
        take_due(self.terms, taken, room=due_room)
        if has_fresh:
            take_fresh(self.terms, taken, reached=reached, bounds=self.bounds, room=room - taken.event_count)

    def _reached(self) -> dict[int, int]:
        """How far each partition was handed out, beginning anywhere, so that consumers spread."""
        offsets = [
            (partition_id, max(committed, dispatched))
            for partition_id, committed, dispatched in zip(
                self.pulse.partition_ids, self.pulse.committed_offsets, self.pulse.dispatched_offsets, strict=True
            )
        ]
        start = secrets.randbelow(len(offsets)) if len(offsets) > 1 else 0
        return dict(offsets[start:] + offsets[:start])

    def _hand_out(self, taken: Taken) -> None:
        """Read the events, outside of any transaction, and put the answer together."""
        self._tell_gaps([(each.partition_id, each.first_offset, each.last_offset) for each in taken.skipped])
        if not taken.rows:
            return
        rows, bodies = mend(self.terms, taken.rows, read_bodies(taken.rows, self.partitions), self._tell_gaps)
        self.leased.deliveries = [
            LeasedDelivery(
                id=row.id,
                token=self.terms.token,
                partition=self.partitions[row.partition_id].number,
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
        ]
        events = sum(len(delivery.events) for delivery in self.leased.deliveries)
        metrics.count_deliveries(self.stream.name, self.group.name, "leased", events)

    def _tell_gaps(self, ranges: Sequence[tuple[int, int, int]]) -> None:
        for partition_id, first_offset, last_offset in ranges:
            self.leased.gaps.append(LostRange(self.partitions[partition_id].number, first_offset, last_offset))
            metrics.count_lost(self.stream.name, self.group.name, last_offset - first_offset + 1)


def _toss() -> bool:
    """A fair coin."""
    return bool(secrets.randbits(1))
