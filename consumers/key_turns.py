"""Whose turn it is where the order of each key is kept: a pure rule.

Of a key one event at a time is handed out; the next one's turn comes when that is finished. So an event has its turn if
nothing of its key is unfinished before it, and is held up if something is. What has its turn may still have to wait:
for a time of its own, or because somebody holds a redrive of its key, which stands outside of the order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Turn(Enum):
    """What its key lets an event do."""

    FREE = "free"
    WAITS = "waits"
    HELD_UP = "held_up"
    # So many are held up in this group that no more may be.
    NO_ROOM = "no_room"


@dataclass(slots=True)
class KeyTurns:
    """The turns of some keys in one partition, which nobody else changes meanwhile.

    Attributes:
        unfinished: keys of which something is unfinished.
        held: keys of which somebody holds an event; where none is unfinished, that is a redrive.
        room: how many more events may be held up.
    """

    unfinished: set[int] = field(default_factory=set)
    held: frozenset[int] = frozenset()
    room: int = 0

    @classmethod
    def of(cls, rows: Iterable[tuple[int, bool, bool]], *, room: int) -> "KeyTurns":
        """Put together what find_key_turns.sql says of keys: whether each is unfinished, and held."""
        known = list(rows)
        return cls(
            unfinished={key for key, is_unfinished, _ in known if is_unfinished},
            held=frozenset(key for key, _, is_held in known if is_held),
            room=room,
        )

    def take(self, key_hash: int, *, available_at: datetime | None) -> Turn:
        """Say what the next event of a key may do, and count it as unfinished from now on."""
        if key_hash in self.unfinished:
            if self.room <= 0:
                return Turn.NO_ROOM
            self.room -= 1
            return Turn.HELD_UP
        self.unfinished.add(key_hash)
        return Turn.WAITS if available_at is None and key_hash in self.held else Turn.FREE
