"""Reading a partition: what the cache has, then one statement for the ends and for what it has not."""

from typing import Any, Final, NamedTuple

from streams.errors import PartitionGone
from streams.log.batches import times_of, unpack
from streams.log.cache import BatchCache, splice
from streams.log.protocol import Bounds, LogDamaged, PartitionRef, ReadResult
from streams.log.selection import Selection, result_of
from streams.log.slices import bounds_of_row, last_offset_in
from streams.log.statements import run

# How many batches the first read of a partition looks at, before it knows how full they are.
_FIRST_GUESS: Final = 8
_REMEMBERED_PARTITIONS: Final = 10_000


class _Look(NamedTuple):
    """What one statement saw: the partition's ends, its erasure mark, and the rows of batches."""

    bounds: Bounds
    mark: int
    rows: list[tuple[Any, ...]]


class BatchReader:
    """Reads partitions; one for each process, shared by its threads."""

    def __init__(self, cache_bytes: int) -> None:
        self.cache = BatchCache(cache_bytes)
        # Events in a batch of each partition read lately: how many batches to ask for. A wrong guess costs
        # a round trip or a few batches too many, nothing else.
        self._events_per_batch: dict[int, float] = {}

    def read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        """Return events as `Log.read` promises.

        The ends of the partition, its erasure mark and the batches beyond the cache come from one statement, so from
        one snapshot. What a cached batch holds was committed when it was read, and as long as the mark is still the
        same, nothing of it was erased since.

        Raises:
            PartitionGone: there is no such partition (any more).
            LogDamaged: a stored batch is missing or damaged.
        """
        after = max(0, after)
        selection = Selection(after=after, max_events=max_events, max_bytes=max_bytes)
        cached = self.cache.run(partition.id, after=after, max_events=max_events, max_bytes=max_bytes)
        selection.take_while_it_continues(cached)
        position = cached[-1].last_offset if cached else after
        look = self._look(partition, after=position, selection=selection)
        if cached and (
            cached[0].mark != look.mark
            # An old snapshot looks at a newer cache, in which batches may lie across its head.
            or position > look.bounds.head_offset
            # Retention came by. Where the cache had all that was asked for, no stored batch was looked at.
            or look.bounds.earliest_offset > after + 1
        ):
            if cached[0].mark != look.mark:
                self.cache.discard(partition.id)
            selection = Selection(after=after, max_events=max_events, max_bytes=max_bytes)
            look = self._look(partition, after=after, selection=selection)
        if look.bounds.earliest_offset > after + 1:
            selection = Selection(after=look.bounds.earliest_offset - 1, max_events=max_events, max_bytes=max_bytes)
        self._take_rows(partition, selection, look)
        while not selection.is_full and look.rows and selection.next_offset < look.bounds.head_offset:
            before = selection.next_offset
            look = self._look(partition, after=before, selection=selection)
            self._take_rows(partition, selection, look)
            if selection.next_offset == before:
                break
        return result_of(after, selection, look.bounds)

    def _look(self, partition: PartitionRef, *, after: int, selection: Selection) -> _Look:
        max_batches = 0
        if not selection.is_full:
            per_batch = self._events_per_batch.get(partition.id)
            guess = _FIRST_GUESS if per_batch is None else int(selection.events_left / per_batch) + 2
            max_batches = min(guess, selection.events_left)
        rows = run(
            "read",
            partition_id=partition.id,
            after=after,
            up_to=last_offset_in(partition),
            max_batches=max_batches,
            max_bytes=max(1, selection.bytes_left),
        )
        if not rows:
            raise PartitionGone
        bounds, mark = bounds_of_row(*rows[0][:5]), rows[0][5]
        batches = [row[6:] for row in rows if row[6] is not None]
        if batches:
            if len(self._events_per_batch) > _REMEMBERED_PARTITIONS:
                self._events_per_batch.clear()
            self._events_per_batch[partition.id] = sum(row[1] for row in batches) / len(batches)
        return _Look(bounds, mark, batches)

    def _take_rows(self, partition: PartitionRef, selection: Selection, look: _Look) -> None:
        fresh = []
        for last_offset, event_count, recorded_at, codec, stored in look.rows:
            if selection.is_full or last_offset <= selection.next_offset:
                continue
            batch = splice(
                number=partition.number,
                last_offset=last_offset,
                event_count=event_count,
                recorded_at=recorded_at,
                records=unpack(codec, stored),
                times=times_of(codec, stored, event_count=event_count, recorded_at=recorded_at),
                mark=look.mark,
            )
            if not selection.continues_with(batch):
                if selection.events:
                    break
                raise LogDamaged(f"partition {partition.id}: no batch holds offset {selection.next_offset + 1}")
            selection.take(batch)
            fresh.append(batch)
        self.cache.add(partition.id, fresh)
