"""What a read takes of the batches that follow each other."""

from collections.abc import Iterable

from streams.log.cache import CachedBatch
from streams.log.protocol import Bounds, Gap, ReadResult


class Selection:
    """The events of one read, taken batch by batch until a limit is reached."""

    def __init__(self, *, after: int, max_events: int, max_bytes: int) -> None:
        self.first_offset = after + 1
        self.next_offset = after
        self.events: list[bytes] = []
        self.events_left = max_events
        self.bytes_left = max_bytes
        self.is_full = False

    def continues_with(self, batch: CachedBatch) -> bool:
        return batch.first_offset <= self.next_offset + 1 <= batch.last_offset

    def take(self, batch: CachedBatch) -> None:
        """Take of the batch what fits; the very first event always does."""
        start, stop = batch.cut(
            first_offset=self.next_offset + 1, max_events=self.events_left, max_bytes=self.bytes_left
        )
        if stop == start and not self.events:
            stop = start + 1
        self.events += batch.events[start:stop]
        self.events_left -= stop - start
        self.bytes_left -= batch.bytes_between(start, stop)
        self.next_offset += stop - start
        self.is_full = stop < len(batch.events) or self.events_left <= 0 or self.bytes_left <= 0

    def take_while_it_continues(self, batches: Iterable[CachedBatch]) -> None:
        for batch in batches:
            if self.is_full or not self.continues_with(batch):
                return
            self.take(batch)


def result_of(after: int, selection: Selection, bounds: Bounds) -> ReadResult:
    """Return what was selected behind an offset, with the gap if retention took what comes there."""
    first, count = selection.first_offset, len(selection.events)
    gap = Gap(after + 1, first - 1) if first > after + 1 else None
    return ReadResult(
        events=selection.events,
        offsets=range(first, first + count),
        next_offset=selection.next_offset,
        bounds=bounds,
        gap=gap,
    )
