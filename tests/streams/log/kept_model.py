"""What a partition has to answer, from a list of its events alone: no batches, no cache, no statements."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from streams.log.protocol import Bounds, Gap, PartitionRef, ReadResult
from streams.stored_event import erase_record, is_erased, place_records


class Kept(NamedTuple):
    """One event."""

    recorded_at: datetime
    record: bytes


class Row(NamedTuple):
    """One stored batch, as far as retention looks at it."""

    last_offset: int
    event_count: int
    recorded_at: datetime
    size: int


@dataclass
class KeptModel:
    """One partition: its kept events by offset."""

    ref: PartitionRef
    events: dict[int, Kept] = field(default_factory=dict)
    head: int = 0
    last_recorded_at: datetime | None = None
    timed_through: int = 0

    @property
    def earliest(self) -> int:
        return min(self.events, default=self.head + 1)

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.earliest, self.head, self.last_recorded_at, self.timed_through)

    def append(self, record: bytes, recorded_at: datetime) -> int:
        self.head += 1
        self.events[self.head] = Kept(recorded_at, record)
        self.last_recorded_at = recorded_at
        return self.head

    def text(self, offset: int) -> bytes:
        recorded_at, record = self.events[offset]
        [text] = place_records([record[1:]], partition=self.ref.number, first_offset=offset, recorded_at=recorded_at)
        return text

    def read(self, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        first = max(after + 1, self.earliest)
        offsets: list[int] = []
        texts: list[bytes] = []
        for offset in range(first, self.head + 1):
            text = self.text(offset)
            max_bytes -= len(text)
            if texts and (max_bytes < 0 or len(texts) == max_events):
                break
            offsets.append(offset)
            texts.append(text)
        gap = Gap(after + 1, first - 1) if first > after + 1 else None
        return ReadResult(texts, offsets, offsets[-1] if offsets else first - 1, self.bounds, gap)

    def offset_at(self, at: datetime) -> int:
        return next((offset for offset, each in sorted(self.events.items()) if each.recorded_at >= at), self.head + 1)

    def recorded_after(self, after: int) -> datetime | None:
        return next((each.recorded_at for offset, each in sorted(self.events.items()) if offset > after), None)

    def erase(self, offset: int, at: datetime) -> bool:
        """Take an event's payload; whether it had one."""
        recorded_at, record = self.events[offset]
        if is_erased(record):
            return False
        self.events[offset] = Kept(recorded_at, erase_record(record, at=at, size=len(record)))
        return True

    def forget_before(self, offset: int) -> None:
        self.events = {each: event for each, event in self.events.items() if each >= offset}


def first_kept(
    rows: list[Row],
    model: KeptModel,
    *,
    recorded_before: datetime | None,
    keep_events: int | None,
    keep_bytes: int | None,
    max_batches: int | None = None,
) -> int:
    """Return the first offset that retention leaves, given how the events lie in batches."""
    left = sum(row.size for row in rows)
    first = model.earliest
    for row in rows[:max_batches]:
        left -= row.size
        may_go = (
            (recorded_before is not None and row.recorded_at < recorded_before)
            or (keep_events is not None and model.head - row.last_offset >= keep_events)
            or (keep_bytes is not None and left >= keep_bytes)
        )
        if not may_go:
            break
        first = row.last_offset + 1
    return first
