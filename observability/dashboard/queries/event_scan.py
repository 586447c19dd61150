"""Looking through a stream, forwards or backwards, a bounded piece at a time.

A scan looks at a bounded number of events for a bounded time, then says what it found and from where to go
on, so that a search through ten million events is many short requests that can be watched and stopped.
"""

import re
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from observability.dashboard.queries.event_filter import EventFilter
from streams.conf import MAX_OFFSET
from streams.log import get_log
from streams.log.protocol import Bounds, PartitionRef
from streams.stored_event import recorded_at_of

MAX_SCANNED_EVENTS = 20_000
MAX_SCAN_SECONDS = 0.8
STEP_EVENTS = 1_000
STEP_BYTES = 8 * 1024 * 1024
_VECTOR = re.compile(r"\d{1,3}=\d{1,19}(,\d{1,3}=\d{1,19}){0,255}", re.ASCII)

Positions = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Scan:
    """What one piece of a scan found.

    Attributes:
        events: in the order of the scan, each as the log gives it out.
        positions: by partition number, where to go on: forwards after this offset, backwards before it.
        scanned: how many events were looked at.
        left: how many more there are in this direction, as far as is known now.
    """

    events: Sequence[bytes]
    positions: Positions
    scanned: int
    left: int

    @property
    def is_done(self) -> bool:
        return self.left == 0


@dataclass(slots=True)
class _Lane:
    """One partition under way: what it found and not yet gave out, and how far it has looked."""

    partition: PartitionRef
    bounds: Bounds
    position: int
    found: list[tuple[datetime, int, bytes]] = field(default_factory=list)


def scan_forwards(partitions: Sequence[PartitionRef], after: Positions, *, wanted: EventFilter, limit: int) -> Scan:
    """Return matching events that follow the given offsets, oldest first."""
    bounds = get_log().bounds(partitions)
    lanes = [
        _Lane(each, bounds[each.id], max(after.get(each.number, 0), bounds[each.id].earliest_offset - 1))
        for each in partitions
        if each.id in bounds
    ]

    def step(lane: _Lane, size: int) -> int:
        result = get_log().read(lane.partition, after=lane.position, max_events=size, max_bytes=STEP_BYTES)
        _keep(lane, result.events, result.offsets, wanted)
        lane.position = max(lane.position, result.next_offset)
        lane.bounds = result.bounds
        return len(result.events)

    scanned = _run(lanes, step, lambda lane: lane.position < lane.bounds.head_offset, limit, wanted)
    return _result(lanes, scanned, limit, is_forwards=True)


def scan_backwards(partitions: Sequence[PartitionRef], before: Positions, *, wanted: EventFilter, limit: int) -> Scan:
    """Return matching events that precede the given offsets (where none is given: the newest), newest first."""
    bounds = get_log().bounds(partitions)
    lanes = [
        _Lane(each, bounds[each.id], min(before.get(each.number, MAX_OFFSET), bounds[each.id].head_offset + 1))
        for each in partitions
        if each.id in bounds
    ]

    def step(lane: _Lane, size: int) -> int:
        first = max(lane.bounds.earliest_offset, lane.position - size)
        count = lane.position - first
        result = get_log().read(lane.partition, after=first - 1, max_events=count, max_bytes=STEP_BYTES)
        # Where there are holes, more offsets are read than were asked for.
        inside = bisect_left(result.offsets, lane.position)
        events, offsets = list(result.events[:inside]), list(result.offsets[:inside])
        if result.events and result.next_offset < lane.position - 1:
            # Large events: not all of the step fitted. Look at a nearer, smaller one instead of skipping any.
            return step(lane, max(1, size // 4)) if size > 1 else _pass_by(lane)
        _keep(lane, events[::-1], offsets[::-1], wanted)
        lane.position = first
        return len(events)

    scanned = _run(lanes, step, lambda lane: lane.position > lane.bounds.earliest_offset, limit, wanted)
    return _result(lanes, scanned, limit, is_forwards=False)


def read_positions(text: str, partitions: Sequence[PartitionRef]) -> dict[int, int] | None:
    """Return positions from a URL (`0=18,1=7`), or None if they are not well formed."""
    if not _VECTOR.fullmatch(text):
        return None
    known = {each.number for each in partitions}
    pairs = (item.partition("=") for item in text.split(","))
    return {int(number): min(int(offset), MAX_OFFSET) for number, _, offset in pairs if int(number) in known}


def write_positions(positions: Positions) -> str:
    """Return positions as they stand in a URL."""
    return ",".join(f"{number}={positions[number]}" for number in sorted(positions))


def _pass_by(lane: _Lane) -> int:
    lane.position -= 1
    return 1


def _keep(lane: _Lane, events: Sequence[bytes], offsets: Sequence[int], wanted: EventFilter) -> None:
    for raw, offset in zip(events, offsets, strict=True):
        if wanted.is_empty or wanted.matches(raw):
            lane.found.append((recorded_at_of(raw), offset, raw))


def _run(
    lanes: Sequence[_Lane],
    step: Callable[[_Lane, int], int],
    has_more: Callable[[_Lane], bool],
    limit: int,
    wanted: EventFilter,
) -> int:
    """Take steps, lane by lane, until enough is found or the budget is spent; return how many were looked at."""
    deadline = time.monotonic() + MAX_SCAN_SECONDS
    size = limit if wanted.is_empty else STEP_EVENTS
    scanned = 0
    while True:
        active = [lane for lane in lanes if has_more(lane) and len(lane.found) < limit]
        if not active or (scanned and sum(len(lane.found) for lane in lanes) >= limit):
            return scanned
        for lane in active:
            scanned += step(lane, size)
            if scanned >= MAX_SCANNED_EVENTS or time.monotonic() > deadline:
                return scanned


def _result(lanes: Sequence[_Lane], scanned: int, limit: int, *, is_forwards: bool) -> Scan:
    """Merge what the lanes found by time; what is too much goes back to its lane."""
    found = sorted(
        ((at, lane.partition.number, offset, raw) for lane in lanes for at, offset, raw in lane.found),
        key=lambda each: each[:3],
        reverse=not is_forwards,
    )
    positions = {lane.partition.number: lane.position for lane in lanes}
    for _, number, offset, _ in reversed(found[limit:]):
        positions[number] = offset - 1 if is_forwards else offset + 1
    left = 0
    for lane in lanes:
        position = positions[lane.partition.number]
        left += lane.bounds.head_offset - position if is_forwards else position - lane.bounds.earliest_offset
    return Scan([raw for *_, raw in found[:limit]], positions, scanned, max(0, left))
