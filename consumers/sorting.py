"""What becomes of events that are looked at before they are handed out: a pure rule.

Most groups hand out ranges of offsets unseen. One with a filter, one that keeps the order of each key, and any group
that comes to events which are for later or expire, has them sorted first. Each event meets one of these fates, and
neighbours that meet the same one stay together:

* it is not let through by the group's filter, or has expired: it is finished, and nobody is given it;
* it is for later: a delivery that waits for its time;
* it is held up by another event of its key: a delivery that waits for its turn (consumers/key_turns.py);
* it is handed out to whoever has it sorted.

Sorting stops where the room of the answer is full: what nobody has room for stays in the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

from consumers.conf import MAX_LEASE_EVENTS
from consumers.filters import Filter
from consumers.key_turns import KeyTurns, Turn
from streams.stored_event import Routing


class Fate(StrEnum):
    FILTERED = "filtered"
    EXPIRED = "expired"
    LATER = "later"
    HELD_UP = "held_up"
    HAND_OUT = "hand_out"


# Of these a delivery is made; the others are finished where they are.
_DELIVERED = frozenset({Fate.LATER, Fate.HELD_UP, Fate.HAND_OUT})


class Piece(NamedTuple):
    """Neighbouring events with one fate.

    Attributes:
        key_hash: of the one event, where the order of its key is kept.
        available_at: when it may be handed out; None: now.
        due_at: the same, if its event says so.
        expires_at: from when on it may not be any more; None: always.
    """

    first_offset: int
    last_offset: int
    fate: Fate
    key_hash: int | None = None
    available_at: datetime | None = None
    expires_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def event_count(self) -> int:
        return self.last_offset - self.first_offset + 1

    @property
    def is_delivered(self) -> bool:
        return self.fate in _DELIVERED


class Rules(NamedTuple):
    """By what a group's events are sorted.

    Attributes:
        is_by_key: each event with a key becomes a delivery of its own, with the key's hash.
    """

    filter: Filter | None = None
    is_by_key: bool = False

    @property
    def are_none(self) -> bool:
        """Whether only events that are for later or expire need to be looked at."""
        return self.filter is None and not self.is_by_key


class Room(NamedTuple):
    """What an answer has room for.

    Attributes:
        is_in_order: of each partition one delivery at a time, so that also what is for later ends the sorting.
    """

    events: int
    deliveries: int
    is_in_order: bool = False


@dataclass(slots=True)
class Sorted:
    """Events that were sorted: all up to `reached`, in order.

    Attributes:
        first_offset: of the first event that was looked at.
        reached: of the last one that has found its piece.
        is_stuck: the next one would be held up, and too many are already.
    """

    first_offset: int
    reached: int
    pieces: list[Piece] = field(default_factory=list)
    is_stuck: bool = False

    @property
    def passed(self) -> int:
        """How many of them nobody is given."""
        return sum(piece.event_count for piece in self.pieces if not piece.is_delivered)

    def count(self, fate: Fate) -> int:
        return sum(piece.event_count for piece in self.pieces if piece.fate is fate)


def sort(
    events: Iterable[tuple[int, Routing]],
    rules: Rules,
    *,
    first_offset: int,
    room: Room,
    now: datetime,
    turns: KeyTurns | None = None,
) -> Sorted:
    """Sort events until the room is full.

    Args:
        events: offsets and what decides, from `first_offset` on, without a gap.
        now: by the clock that recorded the events.
        turns: of the events' keys, where their order is kept.
    """
    done = Sorted(first_offset, first_offset - 1)
    events_left, deliveries_left = room.events, 1 if room.is_in_order else room.deliveries
    for offset, event in events:
        piece = _piece_of(offset, event, rules, now)
        if turns is not None and piece.is_delivered and piece.key_hash is not None:
            turn = turns.take(piece.key_hash, available_at=piece.available_at)
            if turn is Turn.NO_ROOM:
                done.is_stuck = True
                break
            piece = _at_its_turn(piece, turn, now)
        last = done.pieces[-1] if done.pieces else None
        takes_room = piece.fate is Fate.HAND_OUT or (room.is_in_order and piece.is_delivered)
        stay_together = last is not None and _stay_together(last, piece)
        if takes_room and (events_left <= 0 or (deliveries_left <= 0 and not stay_together)):
            break
        if stay_together:
            done.pieces[-1] = done.pieces[-1]._replace(last_offset=offset)
        else:
            done.pieces.append(piece)
            deliveries_left -= takes_room
        events_left -= takes_room
        done.reached = offset
    return done


def key_hash_of(key: str) -> int:
    """Return a key as a number of 64 bits. Two keys that share one wait for each other, and nothing worse."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


def _piece_of(offset: int, event: Routing, rules: Rules, now: datetime) -> Piece:
    if rules.filter is not None and not rules.filter.lets_through(event):
        return Piece(offset, offset, Fate.FILTERED)
    expires_at, deliver_at = event.expires_at, event.deliver_at
    if expires_at is not None and expires_at <= now:
        return Piece(offset, offset, Fate.EXPIRED)
    key_hash = key_hash_of(event.key) if rules.is_by_key and event.key is not None else None
    if deliver_at is not None and deliver_at > now:
        return Piece(offset, offset, Fate.LATER, key_hash, deliver_at, expires_at, deliver_at)
    return Piece(offset, offset, Fate.HAND_OUT, key_hash, expires_at=expires_at)


def _at_its_turn(piece: Piece, turn: Turn, now: datetime) -> Piece:
    if turn is Turn.HELD_UP:
        # Once it is its turn, it still waits for its time.
        return piece._replace(fate=Fate.HELD_UP)
    if turn is Turn.WAITS:
        return piece._replace(fate=Fate.LATER, available_at=now)
    return piece


def _stay_together(last: Piece, piece: Piece) -> bool:
    if last.is_delivered and last.event_count == MAX_LEASE_EVENTS:
        return False
    return piece.key_hash is None and last[2:] == piece[2:]
