"""The lanes in which requests share a commit: one for each partition."""

from collections.abc import Collection, Sequence
from datetime import datetime

from streams.conf import MAX_PARTITIONS
from streams.log.batches import PackedBatch, pack
from streams.log.protocol import PartitionRef


class Lane:
    """All that one commit stores in one partition, in order of arrival.

    Attributes:
        digests: of the ids of its events, of those that are to be remembered.
        placed_among: among how many partitions its events were placed, at least.
        runs: where they belong: events that follow each other, as how many stand before the first, and their number.
        families: ids that are remembered together: how many events stand before the first, what they share, and all
            of them.
        timed_count: how many of its events there are up to the last one that is for later or expires; 0: there is none.
    """

    __slots__ = (
        "_loose",
        "batches",
        "digests",
        "event_count",
        "families",
        "head_offset",
        "number",
        "partition_id",
        "placed_among",
        "recorded_at",
        "runs",
        "timed_count",
    )

    def __init__(self, partition: PartitionRef) -> None:
        self.partition_id = partition.id
        self.number = partition.number
        self.placed_among = MAX_PARTITIONS
        self.event_count = 0
        self.batches: list[PackedBatch] = []
        self.digests: list[bytes] = []
        self.runs: list[tuple[int, int]] = []
        self.families: list[tuple[int, bytes, Sequence[bytes]]] = []
        self._loose: list[bytes] = []
        self.head_offset = 0
        self.recorded_at: datetime | None = None
        self.timed_count = 0

    def place(self, records: Sequence[bytes], packed: list[PackedBatch] | None) -> int:
        """Add the events of one append and return how many stand before them."""
        start = self.event_count
        if packed is None:
            self._loose += records
        else:
            self.pack()
            self.batches += packed
        self.event_count += len(records)
        return start

    def remember(self, digests: Collection[bytes]) -> None:
        """Have the ids of events remembered that are about to be placed, in this order."""
        self.digests += digests
        start, count = self.runs[-1] if self.runs else (0, 0)
        if start + count == self.event_count:
            self.runs[-1:] = [(start, count + len(digests))]
        else:
            self.runs.append((self.event_count, len(digests)))

    def remember_family(self, family: bytes, digests: Sequence[bytes]) -> None:
        """Have ids remembered together that were made for events that are about to be placed, in this order."""
        self.families.append((self.event_count, family, digests))

    def note_timed(self, count: int) -> None:
        """Note that the last of so many events has times, of those that are about to be placed; 0: none has."""
        if count:
            self.timed_count = self.event_count + count

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

    def offset_of(self, position: int) -> int:
        """Return the offset of the event before which `position` others stand; only after the lane was stored."""
        return self.head_offset - self.event_count + position + 1

    def stored_at(self) -> datetime:
        """Return when its events were recorded."""
        if self.recorded_at is None:
            raise RuntimeError("the lane has not been stored")
        return self.recorded_at
