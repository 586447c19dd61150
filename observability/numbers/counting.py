"""Counting events by minute and type, straight from their bytes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from observability.conf import OTHER_TYPES
from streams.envelope import TYPE_PATTERN

_TIME_NAME = b'"recorded_at":"'
# 2026-11-22T10:00 of 2026-11-22T10:00:00.123456Z
_MINUTE_LENGTH = len("2026-11-22T10:00")
_TIME_END = len('"recorded_at":"2026-11-22T10:00:00.123456Z",')


# A quote inside an id is escaped, so this stands nowhere before the type; and a type has neither quotes nor escapes.
_TYPE_NAME = b'","type":"'
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
        found: dict[tuple[bytes, bytes], list[int]] = {}
        for event in events:
            start = event.index(_TIME_NAME)
            minute_start = start + len(_TIME_NAME)
            # The record's opening brace gave way to what the log put in front.
            size = len(event) - start - _TIME_END + 1
            type_start = event.find(_TYPE_NAME, minute_start) + len(_TYPE_NAME)
            key = (
                event[minute_start : minute_start + _MINUTE_LENGTH],
                event[type_start : event.find(b'"', type_start)],
            )
            count = found.get(key)
            if count is None:
                found[key] = [1, size]
            else:
                count[0] += 1
                count[1] += size
        for (minute, name), (number, size) in found.items():
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


def record_size(event: bytes) -> int:
    """Return the size of the record that was appended, given the event as the log returns it."""
    return len(event) - event.index(_TIME_NAME) - _TIME_END + 1


def parse_minute(text: bytes) -> datetime:
    """Return the moment of `2026-11-22T10:00`, which is in UTC."""
    return datetime.fromisoformat(text.decode("ascii") + "+00:00")
