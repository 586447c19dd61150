"""A request on its way through the group committer, and the lanes in which requests share a commit."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import Enum
from typing import Final

from accounts.latches import Latch, ThreadLatch
from streams.log.batches import PackedBatch, pack
from streams.log.protocol import Appended, AppendedRange, PartitionAppend, Receipt
from streams.record_lines import size_of

# From this size on a request compresses its own records, in its own thread, into batches of its own.
_PACK_ALONE_BYTES: Final = 16 * 1024


class State(Enum):
    """Where a request stands: QUEUED -> TAKEN -> DONE, or QUEUED -> WITHDRAWN when it waited too long."""

    QUEUED = 1
    TAKEN = 2
    DONE = 3
    WITHDRAWN = 4


class PendingAppend:
    """One request: what it wants stored, a latch to wait on, and in the end its outcome."""

    __slots__ = ("appends", "error", "followers", "latch", "packed", "placements", "receipt", "result", "size", "state")

    def __init__(self, appends: Sequence[PartitionAppend], receipt: Receipt | None, latch: Latch | None = None) -> None:
        self.appends = appends
        self.receipt = receipt
        self.packed: list[list[PackedBatch] | None] = []
        self.size = 0
        for append in appends:
            size = size_of(append.records)
            self.packed.append(pack(append.records) if size >= _PACK_ALONE_BYTES else None)
            self.size += size
        self.placements: list[tuple[Lane, int]] = []
        # Requests of the same commit with the same idempotency key: their answer is this one's.
        self.followers: list[PendingAppend] = []
        self.state = State.QUEUED
        self.result: Appended | None = None
        self.error: Exception | None = None
        self.latch: Latch = ThreadLatch() if latch is None else latch

    @property
    def request_hash(self) -> bytes | None:
        return None if self.receipt is None else self.receipt.request_hash

    def finish(self, *, result: Appended | None = None, error: Exception | None = None) -> None:
        """Settle the outcome; without arguments: it was stored. Whoever calls this opens the latch afterwards."""
        self.result, self.error = result, error
        self.state = State.DONE

    def outcome(self) -> Appended:
        """Return the result or raise what went wrong; only once the latch is open."""
        if self.error is not None:
            raise self.error
        return self.result or Appended(ranges=self.ranges())

    def ranges(self) -> list[AppendedRange]:
        """Return where the events went, in the order of the appends; only after their lanes were stored."""
        return [
            lane.range_of(append, start) for append, (lane, start) in zip(self.appends, self.placements, strict=True)
        ]


class StandingQuestion:
    """Somebody asks whether an append would be stored now: `refusal` says why not, once the latch is open."""

    __slots__ = ("latch", "refusal")

    def __init__(self) -> None:
        self.latch = ThreadLatch()
        self.refusal: str | None = None


class Lane:
    """All that one commit stores in one partition, in order of arrival."""

    __slots__ = ("_loose", "batches", "event_count", "head_offset", "partition_id", "recorded_at")

    def __init__(self, partition_id: int) -> None:
        self.partition_id = partition_id
        self.event_count = 0
        self.batches: list[PackedBatch] = []
        self._loose: list[bytes] = []
        self.head_offset = 0
        self.recorded_at: datetime | None = None

    def place(self, append: PartitionAppend, packed: list[PackedBatch] | None) -> int:
        """Add the events of one append and return how many stand before them."""
        start = self.event_count
        if packed is None:
            self._loose += append.records
        else:
            self.pack()
            self.batches += packed
        self.event_count += len(append.records)
        return start

    def pack(self) -> None:
        """Put the records of small requests together into batches."""
        if self._loose:
            self.batches += pack(self._loose)
            self._loose = []

    def distances(self) -> list[int]:
        """Return for each batch how many events of this lane follow it."""
        following = self.event_count
        distances = []
        for batch in self.batches:
            following -= batch.event_count
            distances.append(following)
        return distances

    def range_of(self, append: PartitionAppend, start: int) -> AppendedRange:
        if self.recorded_at is None:
            raise RuntimeError("the lane has not been stored")
        first = self.head_offset - self.event_count + start + 1
        return AppendedRange(append.partition, first, first + len(append.records) - 1, self.recorded_at)


def lanes_for(requests: Iterable[PendingAppend]) -> dict[int, Lane]:
    """Place requests, in order of arrival, into one packed lane for each partition."""
    lanes: dict[int, Lane] = {}
    for request in requests:
        request.placements = []
        for append, packed in zip(request.appends, request.packed, strict=True):
            lane = lanes.get(append.partition.id)
            if lane is None:
                lane = lanes[append.partition.id] = Lane(append.partition.id)
            request.placements.append((lane, lane.place(append, packed)))
    for lane in lanes.values():
        lane.pack()
    return lanes
