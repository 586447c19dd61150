"""Reading partitions whose events lie in several engines, one stretch after the other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from streams.conf import POSTGRES
from streams.errors import PartitionGone
from streams.log.protocol import Bounds, Epoch, Front, Gap, Log, PartitionRef, ReadResult
from streams.log.slices import epochs_of, open_place, place_in, places_from

# Gives the engine of an alias, or says that it is away.
Asking = Callable[[str], AbstractContextManager[Log]]


class RoutedReads:
    """`Log`'s questions, each to the engine that has the events."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        """Return events of one stretch, as `Log.read` promises; the next read goes on in the next one."""
        after = max(0, after)
        position = after
        for epoch, place in places_from(partition, after + 1):
            with self._asking(epoch.engine) as log:
                found = log.read(place, after=position, max_events=max_events, max_bytes=max_bytes)
            if place is partition:
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
            bounds=self._bounds_of_several(partition) or found.bounds,
            gap=Gap(after + 1, first - 1) if first > after + 1 else None,
        )

    def bounds(self, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        """Return the ends of partitions, with one question to each engine that has some of them wholly."""
        found: dict[int, Bounds] = {}
        for alias, own in by_engine(each for each in partitions if len(each.epochs) <= 1).items():
            with self._asking(alias) as log:
                found |= log.bounds(own)
        for partition in partitions:
            if len(partition.epochs) > 1 and (ends := self._bounds_of_several(partition)) is not None:
                found[partition.id] = ends
        return found

    def _bounds_of_several(self, partition: PartitionRef) -> Bounds | None:
        ends = self._bounds_in(open_place(partition), partition.engine)
        if ends is None:
            return None
        earliest, recorded_at, timed_through = ends.earliest_offset, ends.last_recorded_at, ends.timed_through
        for epoch in epochs_of(partition)[:-1]:
            own = self._bounds_in(place_in(partition, epoch), epoch.engine)
            if own is not None and epoch.last_offset is not None and own.earliest_offset <= epoch.last_offset:
                earliest = min(earliest, own.earliest_offset)
                recorded_at = recorded_at or own.last_recorded_at
                timed_through = max(timed_through, own.timed_through)
        return Bounds(earliest, ends.head_offset, recorded_at, timed_through)

    def _bounds_in(self, place: PartitionRef, alias: str) -> Bounds | None:
        with self._asking(alias) as log:
            return log.bounds([place]).get(place.id)

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
        """Return what retention would take of each partition's oldest stretch that keeps anything."""
        found: dict[int, Front] = {}
        oldest = [self._oldest_place(each) for each in partitions]
        for alias, own in by_engine(oldest).items():
            with self._asking(alias) as log:
                found |= log.foresee_trim(
                    own,
                    recorded_before=recorded_before,
                    keep_bytes=keep_bytes,
                    keep_events=keep_events,
                    max_batches=max_batches,
                )
        return found

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
        if keep_events is not None and place is not partition and place.engine != POSTGRES:
            # Those in later stretches are kept as well, and its engine does not know of them.
            last, ends = place.epochs[0].last_offset, self._bounds_of_several(partition)
            if last is not None and ends is not None:
                keep_events = max(0, keep_events - (ends.head_offset - last))
        with self._asking(place.engine) as log:
            return log.trim(
                place,
                recorded_before=recorded_before,
                keep_bytes=keep_bytes,
                keep_events=keep_events,
                max_batches=max_batches,
            )

    def _oldest_place(self, partition: PartitionRef) -> PartitionRef:
        if len(partition.epochs) <= 1:
            return partition
        for epoch in partition.epochs[:-1]:
            place = place_in(partition, epoch)
            own = self._bounds_in(place, epoch.engine)
            if own is not None and epoch.last_offset is not None and own.earliest_offset <= epoch.last_offset:
                return place
        return open_place(partition)


def by_engine(places: Iterable[PartitionRef]) -> dict[str, list[PartitionRef]]:
    """Return places by the alias of the engine that has them open."""
    found: dict[str, list[PartitionRef]] = {}
    for place in places:
        found.setdefault(place.engine, []).append(place)
    return found


def _cut(found: ReadResult, epoch: Epoch) -> ReadResult:
    """Leave out what lies behind the stretch: the engine may have something there that is not this partition's."""
    last = epoch.last_offset
    if last is None or found.next_offset <= last:
        return found
    count = sum(1 for offset in found.offsets if offset <= last)
    return ReadResult(found.events[:count], found.offsets[:count], last, found.bounds, found.gap)
