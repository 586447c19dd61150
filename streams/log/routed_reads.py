"""Reading partitions whose events lie in several engines, one stretch after the other."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, TypedDict

from accounts.asked_before import may_be_asked
from streams.conf import POSTGRES
from streams.errors import PartitionGone
from streams.log.protocol import Bounds, Epoch, Front, Gap, Log, LogDamaged, PartitionRef, ReadResult, SealedBounds
from streams.log.slices import open_place, place_in, places_from

# Gives the engine of an alias, or says that it is away.
Asking = Callable[[str], AbstractContextManager[Log]]


class Renew(Protocol):
    """Says where partitions lie by now (`CurrentEpochs.of`)."""

    def __call__(self, partitions: Sequence[PartitionRef], *, are_outdated: bool = False) -> list[PartitionRef]: ...


class _Limits(TypedDict):
    """What of `Log.foresee_trim` is the same for each stretch."""

    recorded_before: datetime | None
    keep_bytes: int | None
    max_batches: int


class RoutedReads:
    """`Log`'s questions, each to the engine that has the events."""

    def __init__(self, asking: Asking, renew: Renew) -> None:
        self._asking = asking
        # Where partitions lie by now: whoever waits, or reads on, may hold a reference from before a move.
        self._renew = renew

    def read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        """Return events of one stretch, as `Log.read` promises; the next read goes on in the next one."""
        try:
            found = self._read(partition, after=after, max_events=max_events, max_bytes=max_bytes)
            is_outdated = partition.engine == POSTGRES and _lies_elsewhere(found)
            if found.events or (partition.engine == POSTGRES and not is_outdated):
                return found
        except LogDamaged:
            # What is missing there may lie elsewhere, if the stream was moved there and back.
            [now] = self._renew([partition])
            if now.epochs == partition.epochs:
                raise
        else:
            [now] = self._renew([partition], are_outdated=is_outdated)
            if now.epochs == partition.epochs:
                return found
        return self._read(now, after=after, max_events=max_events, max_bytes=max_bytes)

    def _read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        after = max(0, after)
        position = after
        for epoch, place in places_from(partition, after + 1):
            # What is before this stretch, retention took.
            position = max(position, epoch.first_offset - 1)
            with self._asking(epoch.engine) as log:
                found = log.read(place, after=position, max_events=max_events, max_bytes=max_bytes)
            if place is partition and position == after:
                return found
            found = _cut(found, epoch)
            if found.events or epoch.last_offset is None:
                break
            position = max(position, epoch.last_offset)
        first = found.offsets[0] if found.events else found.next_offset + 1
        return ReadResult(
            events=found.events,
            offsets=found.offsets,
            next_offset=found.next_offset,
            bounds=self.bounds([partition]).get(partition.id, found.bounds),
            gap=Gap(after + 1, first - 1) if first > after + 1 else None,
        )

    def bounds(self, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        """Return the ends of partitions, with one question to each engine for each stretch that they have there."""
        # Also of those that are here again: where nothing is left of a stretch, nobody may be asked any more.
        elsewhere = [each for each in partitions if each.engine != POSTGRES or len(each.epochs) > 1]
        renewed = {each.id: each for each in self._renew(elsewhere)} if elsewhere else {}
        found = self._bounds_of_several([renewed.get(each.id, each) for each in partitions])
        stale = [
            each for each in partitions if each.engine == POSTGRES and isinstance(found.get(each.id), SealedBounds)
        ]
        if not may_be_asked():
            # As last seen, which has to do where no other engine is asked.
            return found
        return {**found, **self._bounds_of_several(self._renew(stale, are_outdated=True))} if stale else found

    def _bounds_of_several(self, partitions: Sequence[PartitionRef]) -> dict[int, Bounds]:
        """Return the ends of all stretches of each partition together, however many there are.

        Retention takes from the oldest, so most often that one and the open one tell.
        """
        found = self._bounds_in([open_place(each) for each in partitions])
        older = {each.id: list(each.epochs[:-1]) for each in partitions if len(each.epochs) > 1 and each.id in found}
        several = {each.id: each for each in partitions if each.id in older}
        while older:
            asked = {partition_id: epochs.pop(0) for partition_id, epochs in older.items()}
            ends = self._bounds_in([place_in(several[partition_id], epoch) for partition_id, epoch in asked.items()])
            for partition_id, epoch in asked.items():
                if _keeps(ends.get(partition_id), epoch):
                    found[partition_id] = _joined(ends[partition_id], found[partition_id])
                    older[partition_id] = []
            older = {partition_id: epochs for partition_id, epochs in older.items() if epochs}
        for partition_id, ends_here in self._bounds_in(list(_places_to_ask_too(several.values(), found))).items():
            newer = found[partition_id]
            found[partition_id] = newer._replace(
                last_recorded_at=newer.last_recorded_at or ends_here.last_recorded_at,
                timed_through=max(newer.timed_through, ends_here.timed_through),
            )
        return found

    def _bounds_in(self, places: Sequence[PartitionRef]) -> dict[int, Bounds]:
        found: dict[int, Bounds] = {}
        for alias, own in by_engine(places).items():
            with self._asking(alias) as log:
                found |= log.bounds(own)
        return found

    def offset_at(self, partition: PartitionRef, at: datetime) -> int:
        for epoch, place in places_from(partition, 1):
            with self._asking(epoch.engine) as log:
                offset = log.offset_at(place, at)
            if epoch.last_offset is None or offset <= epoch.last_offset:
                return offset
        raise PartitionGone

    def recorded_after(self, positions: Sequence[tuple[PartitionRef, int]]) -> Sequence[datetime | None]:
        answers: list[datetime | None] = [None] * len(positions)
        left = [(index, list(places_from(ref, after + 1)), after) for index, (ref, after) in enumerate(positions)]
        while left:
            by_alias: dict[str, list[int]] = {}
            for number, (_, places, _) in enumerate(left):
                by_alias.setdefault(places[0][0].engine, []).append(number)
            for alias, numbers in by_alias.items():
                with self._asking(alias) as log:
                    times = log.recorded_after([(left[each][1][0][1], left[each][2]) for each in numbers])
                for number, at in zip(numbers, times, strict=True):
                    answers[left[number][0]] = at
            left = [
                (index, places[1:], max(after, places[1][0].first_offset - 1))
                for index, places, after in left
                if answers[index] is None and len(places) > 1
            ]
        return answers

    def foresee_trim(
        self,
        partitions: Sequence[PartitionRef],
        *,
        recorded_before: datetime | None,
        keep_bytes: int | None,
        keep_events: int | None,
        max_batches: int,
    ) -> Mapping[int, Front]:
        """Return what `trim`, until it returns 0, would take of each partition: stretch by stretch, like it."""
        limits = _Limits(recorded_before=recorded_before, keep_bytes=keep_bytes, max_batches=max_batches)
        found: dict[int, Front] = {}
        for partition in partitions:
            if len(partition.epochs) > 1 and (front := self._foresee(partition, keep_events, limits)) is not None:
                found[partition.id] = front
        whole = [each for each in partitions if len(each.epochs) <= 1]
        for alias, own in by_engine(whole).items():
            with self._asking(alias) as log:
                found |= log.foresee_trim(own, keep_events=keep_events, **limits)
        return found

    def _foresee(self, partition: PartitionRef, keep_events: int | None, limits: _Limits) -> Front | None:
        """Return what would go of a partition with several stretches; None: it does not exist."""
        front: Front | None = None
        for place in self._places_with_events(partition):
            kept = self._kept_in(place, partition, keep_events)
            with self._asking(place.engine) as log:
                here = log.foresee_trim([place], keep_events=kept, **limits).get(place.id)
            if here is None:
                break
            front = here if front is None else here._replace(earliest_offset=front.earliest_offset)
            last = place.epochs[0].last_offset
            if here.is_cut or last is None or here.first_kept <= last:
                # What is behind it goes only when all of it has gone.
                break
        return front

    def trim(
        self,
        partition: PartitionRef,
        *,
        recorded_before: datetime | None,
        keep_bytes: int | None,
        keep_events: int | None,
        max_batches: int,
    ) -> int:
        """Take from each partition's oldest stretch that keeps anything."""
        place = self._oldest_place(partition)
        with self._asking(place.engine) as log:
            return log.trim(
                place,
                recorded_before=recorded_before,
                keep_bytes=keep_bytes,
                keep_events=self._kept_in(place, partition, keep_events),
                max_batches=max_batches,
            )

    def _kept_in(self, place: PartitionRef, partition: PartitionRef, keep_events: int | None) -> int | None:
        """Return how many events have to stay in one stretch, when so many have to in all of them."""
        if keep_events is None or place is partition or place.engine == POSTGRES:
            # PostgreSQL counts from the head of all of them.
            return keep_events
        # Those in later stretches are kept as well, and its engine does not know of them.
        last, ends = place.epochs[0].last_offset, self._bounds_of_several([partition]).get(partition.id)
        return keep_events if last is None or ends is None else max(0, keep_events - (ends.head_offset - last))

    def _oldest_place(self, partition: PartitionRef) -> PartitionRef:
        return next(self._places_with_events(partition))

    def _places_with_events(self, partition: PartitionRef) -> Iterator[PartitionRef]:
        """Yield the stretches that have ended and keep an event, oldest first, and the one that is open."""
        for epoch in partition.epochs[:-1]:
            place = place_in(partition, epoch)
            if _keeps(self._bounds_in([place]).get(place.id), epoch):
                yield place
        yield open_place(partition)


def _keeps(bounds: Bounds | None, epoch: Epoch) -> bool:
    """Whether a stretch that has ended keeps an event."""
    return bounds is not None and epoch.last_offset is not None and bounds.earliest_offset <= epoch.last_offset


def _places_to_ask_too(partitions: Iterable[PartitionRef], found: Mapping[int, Bounds]) -> Iterator[PartitionRef]:
    """Yield of each partition the stretch that knows of events for later, or else when the newest event came."""
    for each in partitions:
        here = [epoch for epoch in each.epochs[:-1] if epoch.engine == POSTGRES]
        if each.engine != POSTGRES and here:
            yield place_in(each, here[-1])
        elif found[each.id].last_recorded_at is None:
            yield place_in(each, each.epochs[-2])


def _joined(older: Bounds, newer: Bounds) -> Bounds:
    return newer._replace(
        earliest_offset=min(older.earliest_offset, newer.earliest_offset),
        last_recorded_at=newer.last_recorded_at or older.last_recorded_at,
        timed_through=max(older.timed_through, newer.timed_through),
    )


def by_engine(places: Iterable[PartitionRef]) -> dict[str, list[PartitionRef]]:
    """Return places by the alias of the engine that has them open."""
    found: dict[str, list[PartitionRef]] = {}
    for place in places:
        found.setdefault(place.engine, []).append(place)
    return found


def _lies_elsewhere(found: ReadResult) -> bool:
    """Whether PostgreSQL, which returned no events, says that what comes next is not there, or will not be."""
    return isinstance(found.bounds, SealedBounds) or found.next_offset < found.bounds.head_offset


def _cut(found: ReadResult, epoch: Epoch) -> ReadResult:
    """Leave out what lies behind the stretch: the engine may have something there that is not this partition's."""
    last = epoch.last_offset
    if last is None or found.next_offset <= last:
        return found
    count = sum(1 for offset in found.offsets if offset <= last)
    return ReadResult(found.events[:count], found.offsets[:count], last, found.bounds, found.gap)
