"""A request on its way through the group committer, and where it is placed in the lanes of its commit."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple

from accounts.latches import Latch, ThreadLatch
from streams.errors import HeadMoved
from streams.log.batches import PackedBatch, pack
from streams.log.families import common_family
from streams.log.lanes import Lane
from streams.log.protocol import (
    NO_REPEATS,
    Appended,
    AppendedRange,
    EarlierEvent,
    PartitionAppend,
    PartitionRef,
    Receipt,
    Run,
)
from streams.log.repeats import FirstHere, MetIds
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

    __slots__ = (
        "appends",
        "error",
        "expects_head",
        "followers",
        "latch",
        "packed",
        "placements",
        "receipt",
        "result",
        "size",
        "state",
        "wants_more",
    )

    def __init__(self, appends: Sequence[PartitionAppend], receipt: Receipt | None, latch: Latch | None = None) -> None:
        self.appends = appends
        self.receipt = receipt
        self.packed: list[list[PackedBatch] | None] = []
        self.size = 0
        for append in appends:
            size = size_of(append.records)
            self.packed.append(pack(append.records) if size >= _PACK_ALONE_BYTES else None)
            self.size += size
        self.expects_head = any(append.expected_head is not None for append in appends)
        # More than to be stored: then one statement is not enough.
        self.wants_more = (
            receipt is not None
            or self.expects_head
            or any(append.deduplication is not None or append.timed for append in appends)
        )
        self.placements: list[Placed] = []
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
        return [placed.range_in(append.partition) for append, placed in zip(self.appends, self.placements, strict=True)]


class StandingQuestion:
    """Somebody asks whether an append would be stored now: `refusal` says why not, once the latch is open."""

    __slots__ = ("latch", "refusal")

    def __init__(self) -> None:
        self.latch = ThreadLatch()
        self.refusal: str | None = None


class Placed(NamedTuple):
    """Where one append went: how many events of the lane stand before it, how many it has, and what it repeats."""

    lane: Lane
    start: int
    event_count: int
    repeats: Mapping[int, EarlierEvent | FirstHere]

    def range_in(self, partition: PartitionRef) -> AppendedRange:
        """Return the range that the append has got, once its lane was stored."""
        repeats = (
            {position: _earlier(first) for position, first in self.repeats.items()} if self.repeats else NO_REPEATS
        )
        if not self.event_count:
            return AppendedRange(partition, (), repeats)
        first = self.lane.offset_of(self.start)
        return AppendedRange(partition, (Run(first, first + self.event_count - 1, self.lane.stored_at()),), repeats)


def _earlier(first: EarlierEvent | FirstHere) -> EarlierEvent:
    if isinstance(first, EarlierEvent):
        return first
    return EarlierEvent(first.lane.number, first.lane.offset_of(first.position), first.lane.stored_at())


def lanes_for(
    requests: Iterable[PendingAppend],
    *,
    earlier: Mapping[int, Mapping[bytes, EarlierEvent]] | None = None,
    heads: Mapping[int, int] | None = None,
) -> tuple[dict[int, Lane], dict[PendingAppend, HeadMoved]]:
    """Place requests, in order of arrival, into one packed lane for each partition; return those refused too.

    Args:
        earlier: by stream and digest, events that were stored before.
        heads: of the partitions of requests that expect a head, as they are before this commit.
    """
    lanes: dict[int, Lane] = {}
    met = MetIds(earlier or {})
    refused: dict[PendingAppend, HeadMoved] = {}
    for request in requests:
        request.placements = []
        for append, packed in zip(request.appends, request.packed, strict=True):
            lane = lanes.get(append.partition.id)
            if lane is None:
                lane = lanes[append.partition.id] = Lane(append.partition)
            refusal = _place(request, append, packed, lane=lane, met=met, heads=heads or {})
            if refusal is not None:
                # It has no other append: who expects a head expects one.
                refused[request] = refusal
                break
    for lane in lanes.values():
        lane.pack()
    return {partition_id: lane for partition_id, lane in lanes.items() if lane.event_count}, refused


def _place(
    request: PendingAppend,
    append: PartitionAppend,
    packed: list[PackedBatch] | None,
    *,
    lane: Lane,
    met: MetIds,
    heads: Mapping[int, int],
) -> HeadMoved | None:
    records, ids = append.records, append.deduplication
    sifted = None if ids is None else met.sift(ids, lane)
    repeats = sifted.repeats if sifted else NO_REPEATS
    if len(repeats) < len(records) and append.expected_head is not None:
        head = heads.get(append.partition.id, 0) + lane.event_count
        if head != append.expected_head:
            return HeadMoved(expected=append.expected_head, head=head)
    if ids is not None and sifted is not None:
        met.note(ids.stream_id, lane, sifted.fresh)
        family = common_family(ids.digests) if ids.are_new and not repeats else None
        if family is None:
            lane.remember(sifted.fresh.keys())
        else:
            lane.remember_family(family, ids.digests)
    if repeats:
        records, packed = [record for index, record in enumerate(records) if index not in repeats], None
    if append.timed:
        lane.note_timed(_last_stored(append.timed, repeats))
    if records:
        lane.placed_among = min(lane.placed_among, append.placed_among)
    request.placements.append(Placed(lane, lane.place(records, packed), len(records), repeats))
    return None


def _last_stored(timed: Sequence[int], repeats: Mapping[int, EarlierEvent | FirstHere]) -> int:
    """Return how many events of an append are stored up to its last one that has times; 0: it is stored with none."""
    last = next((position for position in reversed(timed) if position not in repeats), None)
    return 0 if last is None else last + 1 - sum(1 for position in repeats if position < last)
