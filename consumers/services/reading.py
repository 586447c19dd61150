"""Reading a stream, for a group or for nobody: from where, how much, and waiting for more."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from typing import TypeAlias

from accounts.waits import run_blocking, running_loop
from consumers.filters import Filter
from consumers.progress import Place, count_lag
from consumers.services.shared_looks import shared_looks
from consumers.services.standing import Standing
from consumers.services.waiting import Look, look_until_found
from streams.log import get_log, in_log_thread
from streams.log.protocol import Bounds, Gap, PartitionRef, ReadResult
from streams.stored_event import routing_of, type_of

_IsWanted: TypeAlias = Callable[[bytes], bool]

# Events that one filtered read looks at, at most: it then answers with what it found and how far it came.
MAX_SCANNED_EVENTS = 10_000
SCAN_STEP_EVENTS = 1_000
# Gaps that one answer tells, at most: each is named in a header. A partition with one more waits for the next call.
MAX_GAPS = 8
SCAN_STEP_BYTES = 8 * 1024 * 1024


@dataclass(slots=True)
class Reading:
    """What one poll found. `next_offsets` and the rest are by partition number, in the order read.

    `waited_seconds` is how long it waited for events, which is no work and no slowness.
    """

    events: list[bytes] = field(default_factory=list)
    next_offsets: dict[int, int] = field(default_factory=dict)
    bounds: dict[int, Bounds] = field(default_factory=dict)
    gaps: dict[int, Gap] = field(default_factory=dict)
    waited_seconds: float = 0.0


async def read_events_async(
    *,
    positions: Mapping[PartitionRef, int],
    limit: int,
    max_bytes: int,
    wait_seconds: float,
    types: frozenset[str] | None = None,
    group_filter: Filter | None = None,
    standing: Standing | None = None,
) -> Reading:
    """Return the events that follow the given offset of each partition.

    Waits up to `wait_seconds` where there is nothing; a waiting call holds neither a thread nor a connection.

    Args:
        positions: the offset after which to read, for each partition.
        types: only events of these types; the others are passed by, and `next_offsets` moves past them.
        group_filter: only what the group's filter lets through, likewise.
        standing: looked at again after waiting, before anything is read.
    """
    reached = positions
    in_thread = partial(in_log_thread, list(positions))

    async def look() -> Look[Reading]:
        nonlocal reached
        read = partial(read_now, reached, limit=limit, max_bytes=max_bytes, types=types, group_filter=group_filter)
        # Who waits is one of many as soon as an event comes.
        if wait_seconds and group_filter is None and running_loop() is not None:
            reading = await shared_looks().read((*reached.items(), limit, max_bytes, types), read, in_thread=in_thread)
        else:
            reading = await in_thread(read)
        if any(reading.next_offsets[partition.number] != after for partition, after in reached.items()):
            reached = {partition: reading.next_offsets[partition.number] for partition in reached}
        heads = {partition.id: reading.bounds[partition.number].head_offset for partition in reached}
        return Look(
            reading,
            is_worth_answering=bool(reading.events or reading.gaps),
            heads=heads,
            # A read that looks for types goes on until it has looked at everything.
            look_again_seconds=inf if all(reached[each] >= heads[each.id] for each in reached) else 0.0,
        )

    async def look_at_standing() -> None:
        if standing is not None:
            await standing.look_again()

    reading, waited_seconds = await look_until_found(
        look,
        partition_ids=[partition.id for partition in positions],
        wait_seconds=wait_seconds,
        after_waiting=look_at_standing,
        standing=standing,
    )
    # Another one: others may have been told the same.
    return replace(reading, waited_seconds=waited_seconds)


def read_events(
    *,
    positions: Mapping[PartitionRef, int],
    limit: int,
    max_bytes: int,
    wait_seconds: float,
    types: frozenset[str] | None = None,
    group_filter: Filter | None = None,
) -> Reading:
    """Do what `read_events_async` does, in a thread that may wait."""
    return run_blocking(
        read_events_async(
            positions=positions,
            limit=limit,
            max_bytes=max_bytes,
            wait_seconds=wait_seconds,
            types=types,
            group_filter=group_filter,
        )
    )


def read_now(
    positions: Mapping[PartitionRef, int],
    *,
    limit: int,
    max_bytes: int,
    types: frozenset[str] | None,
    group_filter: Filter | None = None,
) -> Reading:
    """Return the events that follow the given offset of each partition, as far as they are there."""
    reading = Reading()
    is_wanted = _choice(types, group_filter)
    size = 0
    for partition, after in positions.items():
        wanted = limit - len(reading.events)
        if wanted <= 0 or (size >= max_bytes and reading.events):
            # The answer is full: this partition waits for the next call, from where it stands.
            reading.next_offsets[partition.number] = after
            reading.bounds.setdefault(partition.number, get_log().bounds([partition])[partition.id])
            continue
        result = (
            get_log().read(partition, after=after, max_events=wanted, max_bytes=max(1, max_bytes - size))
            if is_wanted is None
            else _read_wanted(partition, after, wanted, max(1, max_bytes - size), is_wanted)
        )
        is_too_much = reading.events and size + sum(map(len, result.events)) > max_bytes
        if is_too_much or (result.gap is not None and len(reading.gaps) == MAX_GAPS):
            # Each partition's read returns one event at least; only the answer's first may exceed the size.
            result = ReadResult((), (), after, result.bounds)
        reading.events.extend(result.events)
        if len(positions) > 1:
            size += sum(map(len, result.events))
        reading.next_offsets[partition.number] = result.next_offset
        reading.bounds[partition.number] = result.bounds
        if result.gap is not None:
            reading.gaps[partition.number] = result.gap
    return reading


def _choice(types: frozenset[str] | None, group_filter: Filter | None) -> _IsWanted | None:
    """Whether an event is one of those that are asked for; None: all of them are."""
    if group_filter is None:
        return None if types is None else lambda event: type_of(event) in types

    def is_wanted(event: bytes) -> bool:
        routing = routing_of(event)
        return (types is None or routing.type in types) and group_filter.lets_through(routing)

    return is_wanted


def _read_wanted(partition: PartitionRef, after: int, limit: int, max_bytes: int, is_wanted: _IsWanted) -> ReadResult:
    events: list[bytes] = []
    offsets: list[int] = []
    gap: Gap | None = None
    position, size, scanned = after, 0, 0
    while True:
        result = get_log().read(partition, after=position, max_events=SCAN_STEP_EVENTS, max_bytes=SCAN_STEP_BYTES)
        gap = gap or result.gap
        for event, offset in zip(result.events, result.offsets, strict=True):
            if is_wanted(event):
                size += len(event)
                if len(events) == limit or (events and size > max_bytes):
                    return ReadResult(events, offsets, position, result.bounds, gap)
                events.append(event)
                offsets.append(offset)
            position = offset
        position = max(position, result.next_offset)
        scanned += len(result.events)
        if not result.events or scanned >= MAX_SCANNED_EVENTS or position >= result.bounds.head_offset:
            return ReadResult(events, offsets, position, result.bounds, gap)


def lags_of(reading: Reading, places: Mapping[int, Place] | None) -> dict[int, int]:
    """Return the lag by partition number: of the group, or where there is none of what this read has come to."""
    return {
        number: count_lag(
            bounds=bounds,
            committed_offset=reading.next_offsets[number] if places is None else places[number].committed_offset,
        )
        for number, bounds in reading.bounds.items()
    }


def lost_of(reading: Reading, places: Mapping[int, Place]) -> int:
    """Return what the group has lost in the partitions that were read, since somebody acknowledged it."""
    return sum(places[number].lost(bounds) for number, bounds in reading.bounds.items())


def order_partitions(partitions: Sequence[PartitionRef], turn: int) -> list[PartitionRef]:
    """Return the partitions beginning with another one each time, so that a full first one starves no other."""
    start = turn % len(partitions)
    return [*partitions[start:], *partitions[:start]]
