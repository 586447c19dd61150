"""Decompressed batches, kept because many readers ask for the same ones.

What a stored batch holds changes only when one of its events is erased, and a partition's id is never used again.
Every batch here carries its partition's erasure mark, as it was when the batch was read: whoever reads compares it with
the mark as of now, and with the ends, for what retention took may still be here as well. Small batches that were merged
since stay true: the larger one, once it is read, takes their place.
"""

import threading
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final

from streams.log.protocol import LogDamaged
from streams.log.recorded_times import RecordedTimes
from streams.stored_event import place_records, place_records_in_time
from streams.times import format_counted

# What Python needs for a batch and for each event beside the bytes themselves, about.
_BATCH_OVERHEAD: Final = 600
_EVENT_OVERHEAD: Final = 33 + 8 + 36


class CachedBatch:
    """The events of one batch, each spliced with its partition, offset and time; immutable.

    `ends[i]` is the size of the events up to and including i, so that a cut by bytes is a bisection.
    `mark` is the partition's erasure mark in the snapshot that this was read from.
    """

    __slots__ = ("ends", "events", "first_offset", "last_offset", "mark", "size")

    def __init__(self, *, last_offset: int, events: tuple[bytes, ...], mark: int = 0) -> None:
        self.mark = mark
        self.last_offset = last_offset
        self.first_offset = last_offset - len(events) + 1
        self.events = events
        self.ends = [len(events[0])] if len(events) == 1 else list(accumulate(map(len, events)))
        self.size = self.ends[-1] + _BATCH_OVERHEAD + len(events) * _EVENT_OVERHEAD

    def cut(self, *, first_offset: int, max_events: int, max_bytes: int) -> tuple[int, int]:
        """Return (start, stop) of the events from `first_offset` on that fit; there may be none."""
        start = max(0, first_offset - self.first_offset)
        stop = min(start + max_events, len(self.events))
        before = self.ends[start - 1] if start else 0
        if stop > start and self.ends[stop - 1] - before > max_bytes:
            stop = bisect_right(self.ends, before + max_bytes, start, stop)
        return start, stop

    def bytes_between(self, start: int, stop: int) -> int:
        """Return the size of events `start` to `stop` (excluded)."""
        return (self.ends[stop - 1] if stop else 0) - (self.ends[start - 1] if start else 0)


def splice(
    *,
    number: int,
    last_offset: int,
    event_count: int,
    recorded_at: datetime,
    records: bytes,
    times: RecordedTimes | None = None,
    mark: int = 0,
) -> CachedBatch:
    """Put its place in front of each record, without decoding any.

    Args:
        times: when each was recorded, of as many events; None: all at `recorded_at`.

    Raises:
        LogDamaged: there are not `event_count` records.
    """
    # A record has no raw newline, so this cuts between records only, and takes their first brace away.
    pieces = records[1:].split(b"\n{") if event_count > 1 else [records[1:]]
    if len(pieces) != event_count or not records.startswith(b"{"):
        raise LogDamaged(f"{len(pieces)} records instead of {event_count}")
    first_offset = last_offset - event_count + 1
    if times is None:
        events = place_records(pieces, partition=number, first_offset=first_offset, recorded_at=recorded_at)
    else:
        texts = format_counted(times.of_each())
        events = place_records_in_time(pieces, partition=number, first_offset=first_offset, recorded_at=texts)
    return CachedBatch(last_offset=last_offset, events=tuple(events), mark=mark)


class BatchCache:
    """The batches used last, up to a number of bytes; safe to use from any thread.

    Those of one partition all have the same mark.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._batches: OrderedDict[tuple[int, int], CachedBatch] = OrderedDict()
        # For each partition the last offsets of its batches here, sorted, to find the one that holds an offset.
        self._last_offsets: dict[int, list[int]] = {}

    def run(self, partition_id: int, *, after: int, max_events: int, max_bytes: int) -> list[CachedBatch]:
        """Return the batches that follow `after` without a hole, as many as `max_events` and `max_bytes` need."""
        found: list[CachedBatch] = []
        with self._lock:
            last_offsets = self._last_offsets.get(partition_id)
            if not last_offsets:
                return found
            position = bisect_left(last_offsets, after + 1)
            for last_offset in last_offsets[position : position + max_events]:
                batch = self._batches[partition_id, last_offset]
                if batch.first_offset > after + 1 or max_events <= 0 or max_bytes <= 0:
                    break
                start = after + 1 - batch.first_offset
                self._batches.move_to_end((partition_id, last_offset))
                found.append(batch)
                max_events -= len(batch.events) - start
                max_bytes -= batch.bytes_between(start, len(batch.events))
                after = last_offset
        return found

    def add(self, partition_id: int, batches: Sequence[CachedBatch]) -> None:
        """Keep these, which have the same mark; the ones used longest ago make room, and those with another mark."""
        with self._lock:
            kept = self._last_offsets.get(partition_id)
            if kept and batches and self._batches[partition_id, kept[0]].mark != batches[0].mark:
                self._discard(partition_id)
            for batch in batches:
                key = (partition_id, batch.last_offset)
                if batch.size > self._max_bytes or not self._make_place(partition_id, batch):
                    continue
                self._batches[key] = batch
                insort(self._last_offsets.setdefault(partition_id, []), batch.last_offset)
                self._bytes += batch.size
            while self._bytes > self._max_bytes:
                key, batch = self._batches.popitem(last=False)
                self._bytes -= batch.size
                self._forget(*key)

    def _make_place(self, partition_id: int, batch: CachedBatch) -> bool:
        """Let go of what a batch holds as well; return False if one that is here holds all of it."""
        last_offsets = self._last_offsets.get(partition_id, [])
        position = bisect_left(last_offsets, batch.last_offset)
        if position < len(last_offsets):
            following = self._batches[partition_id, last_offsets[position]]
            if following.first_offset <= batch.first_offset:
                return False
        end = bisect_right(last_offsets, batch.last_offset)
        for last_offset in last_offsets[bisect_left(last_offsets, batch.first_offset) : end]:
            self._bytes -= self._batches.pop((partition_id, last_offset)).size
            self._forget(partition_id, last_offset)
        return True

    def discard(self, partition_id: int) -> None:
        """Let go of a partition's batches before their time: it was dropped, or some event of it erased."""
        with self._lock:
            self._discard(partition_id)

    def _discard(self, partition_id: int) -> None:
        for last_offset in self._last_offsets.pop(partition_id, []):
            self._bytes -= self._batches.pop((partition_id, last_offset)).size

    def _forget(self, partition_id: int, last_offset: int) -> None:
        last_offsets = self._last_offsets[partition_id]
        del last_offsets[bisect_left(last_offsets, last_offset)]
        if not last_offsets:
            del self._last_offsets[partition_id]

    @property
    def bytes_used(self) -> int:
        return self._bytes
