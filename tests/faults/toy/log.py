"""The toy's log: names of events in lists. Slots may be empty only where a flaw leaves them so."""

import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.ask import Ask
from tests.faults.events import Times, key_of, names_of, runs_of, times_of
from tests.faults.toy.flaws import Flaws
from tests.faults.world import World


@dataclass
class ToyPartition:
    """`slots[i]` is the event at offset i + 1; `kept_from` the earliest offset that retention left."""

    slots: list[str | None] = field(default_factory=list)
    kept_from: int = 1
    durable_at: list[float] = field(default_factory=list)

    @property
    def head(self) -> int:
        return len(self.slots)

    def at(self, offset: int) -> str:
        """The event at an offset; a question mark where a flaw has left none."""
        return (self.slots[offset - 1] if offset <= len(self.slots) else None) or "?"

    def add(self, name: str | None, durable_at: float = 0.0) -> int:
        self.slots.append(name)
        self.durable_at.append(durable_at)
        return len(self.slots)


class ToyLog:
    def __init__(self, world: World, flaws: Flaws) -> None:
        self.world, self.flaws = world, flaws
        self.partitions = {
            (stream.name, number): ToyPartition() for stream in world.streams for number in range(stream.partitions)
        }
        self.answers: dict[str, dict[str, Any]] = {}
        # When each event was recorded, by its name.
        self.recorded: dict[str, float] = {}
        self._turn = 0
        self._reserved: dict[tuple[str, int], int] = defaultdict(int)

    def of(self, stream: str) -> dict[int, ToyPartition]:
        return {number: partition for (name, number), partition in self.partitions.items() if name == stream}

    def append(self, ask: Ask, now: float) -> dict[str, Any]:
        """Store a request's events, or find what they were answered before."""
        key = ask.sent["base"] if "by_id" in ask.sent else ask.sent.get("key")
        if key in self.answers and not self.flaws.strikes("stores again on retry", chance=0.7):
            return self.answers[key] | {"replayed": True}
        self._turn += 1
        names = names_of(ask.sent["base"], ask.sent["count"])
        if self.flaws.strikes("rewrites payloads", chance=0.02):
            names = [f"?{name}" for name in names]
        if self.flaws.strikes("loses a member of a shared commit", chance=0.03):
            heads = {number: partition.head for number, partition in self.of(ask.stream).items()}
            return {"places": [[0, heads[0] + 1 + index] for index in range(len(names))], "replayed": False}
        places = [self._store(ask.stream, name, now) for name in names]
        if self.flaws.strikes("tells a wrong offset", chance=0.03):
            places[-1][1] += 1
        answer = {"places": places, "replayed": False}
        if key:
            self.answers[key] = answer
        return answer

    def tear(self, ask: Ask, now: float) -> None:
        """Store the first half of a batch only."""
        for name in names_of(ask.sent["base"], ask.sent["count"])[: ask.sent["count"] // 2]:
            self._store(ask.stream, name, now)

    def _store(self, stream: str, name: str, now: float) -> list[int]:
        number = self._place(stream, name)
        partition = self.partitions[stream, number]
        self.recorded[name] = now
        if self.flaws.strikes("skips offsets", chance=0.01):
            partition.add(None)
        if self.flaws.strikes("fills holes later", chance=0.02) and not self._reserved[stream, number]:
            partition.add(None)
            self._reserved[stream, number] = partition.head
        elif self._reserved[stream, number] and partition.head > self._reserved[stream, number] + 3:
            offset, self._reserved[stream, number] = self._reserved[stream, number], 0
            partition.slots[offset - 1] = name
            return [number, offset]
        is_late = self.flaws.strikes("answers before the commit")
        offset = partition.add(name, durable_at=now + 1.5 if is_late else 0.0)
        if offset > 1 and self.flaws.strikes("lets events move", chance=0.02):
            partition.slots[offset - 2 : offset] = reversed(partition.slots[offset - 2 : offset])
        if offset > 8 and self.flaws.strikes("appends out of order", chance=0.02):
            partition.slots.insert(offset - 6, partition.slots.pop())
            return [number, offset - 5]
        return [number, offset]

    def _place(self, stream: str, name: str) -> int:
        count = self.world.stream(stream).partitions
        key = key_of(name)
        if key is None or self.flaws.strikes("moves keys", chance=0.05):
            return self._turn % count
        return zlib.crc32(key.encode()) % count

    def recorded_of(self, events: Iterable[tuple[int, int, str]]) -> list[list[float]]:
        """When those of some events were recorded that are for later or expire."""
        timed = (each for each in events if times_of(each[2]) != Times())
        return [[number, offset, self.recorded[name]] for number, offset, name in timed if name in self.recorded]

    def read(self, ask: Ask, after: dict[int, int]) -> dict[str, Any]:
        """What a poll gets: events after an offset, partition by partition, within the limit."""
        events: list[tuple[int, int, str]] = []
        reached, heads, gaps = {}, {}, {}
        for number, start in after.items():
            partition = self.partitions[ask.stream, number]
            head = partition.head
            if head > 5 and self.flaws.strikes("reads what is stale", chance=0.05):
                head -= 3
            first = max(start + 1, partition.kept_from)
            if first > start + 1 and not self.flaws.strikes("jumps over retention in silence"):
                gaps[str(number)] = [start + 1, first - 1]
            last = min(head, first - 1 + ask.sent["limit"] - len(events))
            for offset in range(first, last + 1):
                name = partition.slots[offset - 1]
                if name is not None:
                    events.append((number, offset, name))
            reached[str(number)] = max(start, last, first - 1)
            if last < head and last >= first and self.flaws.strikes("drops events at the limit", chance=0.1):
                reached[str(number)] += 1
            heads[str(number)] = head - (
                7 if head > 9 and self.flaws.strikes("lets the head go back", chance=0.02) else 0
            )
        recorded = self.recorded_of(events)
        return {"recorded": recorded, "runs": runs_of(events), "next": reached, "head": heads, "gaps": gaps}

    def trim(self) -> None:
        """Retention."""
        for (name, _), partition in self.partitions.items():
            most = self.world.stream(name).max_events
            if most is not None:
                partition.kept_from = max(partition.kept_from, partition.head - most + 1)

    def crash(self, now: float) -> None:
        """What was not durable is gone."""
        for partition in self.partitions.values():
            while partition.slots and partition.durable_at[-1] > now:
                partition.slots.pop()
                partition.durable_at.pop()
