"""What happened to this event? For each group of its stream: where it stands, and what did not go smoothly.

History rows exist only for what did not go smoothly; the rest follows from the committed and the dispatched offset.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from django.db.models import Q

from consumers.conf import MAX_LEASE_EVENTS
from consumers.filters import Filter
from consumers.models import ConsumerGroup, DeadLetter, DeliveryHistory, GroupOffset, Mode
from consumers.statements import run
from consumers.states import DeadLetterStatus, Outcome
from streams.errors import EventNotFound
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo, partition_of
from streams.stored_event import is_erased, routing_of


class EventState(StrEnum):
    """Where an event stands in a group."""

    NOT_HANDED_OUT = "not_handed_out"
    LEASED = "leased"
    WAITING = "waiting"
    HELD_UP = "held_up"
    EXHAUSTED = "exhausted"
    ACKED = "acked"
    DEAD_LETTERED = "dead_lettered"
    REDRIVEN = "redriven"
    RESOLVED = "resolved"
    DISCARDED = "discarded"
    # Retention took it, or the group began or was sought beyond it.
    LOST = "lost"
    SKIPPED = "skipped"
    # Finished without being handed out: the group's filter does not let it through.
    FILTERED = "filtered"
    # It expired before anybody had it, or had it again.
    EXPIRED = "expired"
    # It is for later, and waits for its time.
    SCHEDULED = "scheduled"
    # In offset mode: finished by a commit, or not yet.
    COMMITTED = "committed"
    NOT_COMMITTED = "not_committed"


class DeliveryStanding(NamedTuple):
    """A delivery that has the event."""

    group_id: int
    id: int
    dead_letter_id: int | None
    round: int
    first_offset: int
    last_offset: int
    state: str
    delivery_count: int
    failure_count: int
    leased_by: str
    leased_at: datetime | None
    lease_expires_at: datetime | None
    available_at: datetime | None
    last_error: str
    exhausted_reason: str


@dataclass(frozen=True, slots=True)
class GroupTimeline:
    """One event in one group. `delivery` is there while it is being tried; newest dead letters come last."""

    group: ConsumerGroup
    state: EventState
    delivery: DeliveryStanding | None
    history: Sequence[DeliveryHistory]
    dead_letters: Sequence[DeadLetter]


@dataclass(frozen=True, slots=True)
class Timeline:
    """One event in all groups of its stream. `is_kept`: retention has not taken it."""

    partition: int
    offset: int
    is_kept: bool
    groups: Sequence[GroupTimeline]


def get_timeline(stream: StreamInfo, partition: int, offset: int) -> Timeline:
    """Return what happened to one event, in a constant number of queries.

    Raises:
        PartitionNotFound
        EventNotFound: nothing with that offset has been appended yet.
    """
    place = partition_of(stream, partition)
    ends = get_log().bounds([place])[place.id]
    if not 1 <= offset <= ends.head_offset:
        raise EventNotFound(f"There is no event at offset {offset}; the head is at {ends.head_offset}.")
    standings = list(GroupOffset.objects.filter(partition_id=place.id).select_related("group").order_by("group__name"))
    event = _event_at(place, offset) if any(standing.group.filter for standing in standings) else None
    deliveries = _by_group(
        DeliveryStanding(*row) for row in run("timeline_deliveries", partition_id=place.id, offset=offset)
    )
    history = _by_group(_history_of(place.id, offset))
    dead_letters = _by_group(
        DeadLetter.objects.filter(partition_id=place.id, offset=offset)
        .defer("event")
        .prefetch_related("redrives")
        .order_by("round")
    )
    groups = []
    for standing in standings:
        own = deliveries[standing.group_id]
        # A redrive under way says more than where the group's own order stands.
        delivery = max(own, key=lambda each: each.dead_letter_id is not None, default=None)
        told, dead = history[standing.group_id], dead_letters[standing.group_id]
        state = _state(standing, offset, delivery, told, dead)
        if state is EventState.ACKED and not (told or dead) and _is_filtered(standing.group, event):
            state = EventState.FILTERED
        groups.append(GroupTimeline(standing.group, state, delivery, told, dead))
    return Timeline(partition, offset, offset >= ends.earliest_offset, groups)


def _history_of(partition_id: int, offset: int) -> list[DeliveryHistory]:
    """The rows that speak of the offset: none but those that were passed by is longer than a delivery can be."""
    near = Q(first_offset__gt=offset - MAX_LEASE_EVENTS) | Q(outcome__in=[Outcome.LOST.value, Outcome.SKIPPED.value])
    rows = DeliveryHistory.objects.filter(
        near, partition_id=partition_id, first_offset__lte=offset, last_offset__gte=offset
    )
    return list(rows.order_by("id"))


def _event_at(place: PartitionRef, offset: int) -> bytes | None:
    """The event, unless retention has taken it."""
    read = get_log().read(place, after=offset - 1, max_events=1, max_bytes=1)
    return read.events[0] if read.events and read.offsets[0] == offset else None


def _is_filtered(group: ConsumerGroup, event: bytes | None) -> bool:
    """Whether a group's filter, as it is now, lets an event not through; of what is gone nobody knows."""
    wanted = Filter.of(group.filter)
    if wanted is None or event is None:
        return False
    if is_erased(event):
        # Its headers went with its payload.
        wanted = wanted._replace(headers={})
    return not wanted.lets_through(routing_of(event))


def _by_group(rows: Iterable[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.group_id].append(row)
    return found


_STATE_OF_DEAD_LETTER = {
    DeadLetterStatus.OPEN: EventState.DEAD_LETTERED,
    DeadLetterStatus.REDRIVEN: EventState.REDRIVEN,
    DeadLetterStatus.RESOLVED: EventState.RESOLVED,
    DeadLetterStatus.DISCARDED: EventState.DISCARDED,
}
# Nobody has decided yet, or the last try is under way.
_UNSETTLED = (DeadLetterStatus.OPEN, DeadLetterStatus.REDRIVEN)

_PASSED_BY: dict[str, EventState] = {
    Outcome.LOST: EventState.LOST,
    Outcome.SKIPPED: EventState.SKIPPED,
    Outcome.LAPSED: EventState.EXPIRED,
}


def _still_counts(latest: DeadLetter, standing: GroupOffset) -> bool:
    """Whether no seek has gone back behind the event: that resolves what is open or sent again, and begins a round."""
    return latest.round >= standing.round or latest.status in _UNSETTLED


def _state(
    standing: GroupOffset,
    offset: int,
    delivery: DeliveryStanding | None,
    history: Sequence[DeliveryHistory],
    dead_letters: Sequence[DeadLetter],
) -> EventState:
    latest = dead_letters[-1] if dead_letters and _still_counts(dead_letters[-1], standing) else None
    if standing.group.mode == Mode.OFFSET:
        if latest is not None:
            return _STATE_OF_DEAD_LETTER[DeadLetterStatus(latest.status)]
        return EventState.COMMITTED if offset <= standing.committed_offset else EventState.NOT_COMMITTED
    if delivery is not None:
        return EventState(delivery.state)
    if offset > max(standing.committed_offset, standing.dispatched_offset):
        return EventState.NOT_HANDED_OUT
    if latest is not None:
        return _STATE_OF_DEAD_LETTER[DeadLetterStatus(latest.status)]
    if offset <= standing.start_offset:
        return EventState.SKIPPED
    passed_by = [_PASSED_BY[each.outcome] for each in history if each.outcome in _PASSED_BY]
    return passed_by[-1] if passed_by and history[-1].outcome != Outcome.ACKED else EventState.ACKED
