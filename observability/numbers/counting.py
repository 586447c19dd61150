"""Counting events by minute and type, straight from their bytes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from observability.conf import OTHER_TYPES
from streams.envelope import TYPE_PATTERN
from streams.stored_event import count_by_minute_and_type

_is_type = re.compile(TYPE_PATTERN.encode()).fullmatch


@dataclass(slots=True)
class Tally:
    """Events and bytes by (minute as text, type)."""

    counts: dict[tuple[bytes, str], list[int]] = field(default_factory=dict)
    events: int = 0
    size: int = 0

    def add(self, events: Iterable[bytes]) -> None:
        """Count events as the log returns them: nothing of them is decoded.

        An event's size is that of the record that was appended, without what the log put in front.
        """
        for (minute, name), (number, size) in count_by_minute_and_type(events).items():
            # Damaged in the log: `verify_log` names it; here it must not stand in the way of the others.
            known = name.decode() if _is_type(name) else OTHER_TYPES
            count = self.counts.setdefault((minute, known), [0, 0])
            count[0] += number
            count[1] += size
            self.events += number
            self.size += size

    def merge(self, other: "Tally") -> None:
        """Add what another tally counted."""
        for key, (events, size) in other.counts.items():
            count = self.counts.setdefault(key, [0, 0])
            count[0] += events
            count[1] += size
        self.events += other.events
        self.size += other.size

    def by_minute(self) -> dict[datetime, list[int]]:
        """Events and bytes of each minute."""
        minutes: dict[bytes, list[int]] = {}
        for (minute, _type), (events, size) in self.counts.items():
            count = minutes.setdefault(minute, [0, 0])
            count[0] += events
            count[1] += size
        return {parse_minute(minute): count for minute, count in minutes.items()}

    def by_type(self, known: frozenset[str], *, limit: int) -> dict[tuple[datetime, str], list[int]]:
        """Events and bytes of each minute and type.

        Args:
            known: types that have a name of their own already.
            limit: how many may have one; the rarer rest is counted as OTHER_TYPES.
        """
        frequency: dict[str, int] = {}
        for (_minute, name), (events, _size) in self.counts.items():
            frequency[name] = frequency.get(name, 0) + events
        fresh = sorted((name for name in frequency if name not in known), key=lambda name: -frequency[name])
        named = known.union(fresh[: max(0, limit - len(known))])
        result: dict[tuple[datetime, str], list[int]] = {}
        for (minute, name), (events, size) in self.counts.items():
            count = result.setdefault((parse_minute(minute), name if name in named else OTHER_TYPES), [0, 0])
            count[0] += events
            count[1] += size
        return result


def parse_minute(text: bytes) -> datetime:
    """Return the moment of `2026-11-22T10:00`, which is in UTC."""
    return datetime.fromisoformat(text.decode("ascii") + "+00:00")
