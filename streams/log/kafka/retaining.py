"""Retention in partitions that can be cut anywhere: exactly what may go does, at once."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from streams.log.kafka.looking import Looker
from streams.log.kafka.moments import first_millisecond
from streams.log.kafka.places import Place
from streams.log.kafka.reading import KafkaReader
from streams.log.kafka.topics import Topics
from streams.log.protocol import Bounds, Front, PartitionRef

Placed = Sequence[tuple[PartitionRef, Place]]


def offset_at(looker: Looker, place: Place, moment: datetime) -> int:
    """Return the offset of the first kept event of that moment or later, or head + 1.

    Raises:
        KafkaSilent
    """
    found = looker.first_since(place, first_millisecond(moment))
    [ends] = looker.ends([place])
    return max(ends.low, ends.high if found is None else min(found, ends.high)) + place.base


def first_kept(bounds: Bounds, *, keep_events: int | None, kept_by_age: int | None) -> int:
    """Return the offset of the first event that stays, by whichever limit takes most.

    Args:
        keep_events: how many are to stay at least; None: no limit.
        kept_by_age: the first one that is not too old; None: no limit.
    """
    offset = bounds.earliest_offset
    if keep_events is not None:
        offset = max(offset, bounds.head_offset + 1 - keep_events)
    if kept_by_age is not None:
        offset = max(offset, kept_by_age)
    return min(offset, bounds.head_offset + 1)


class Retention:
    """What may go, and its going."""

    def __init__(self, looker: Looker, reader: KafkaReader, topics: Topics) -> None:
        self._looker = looker
        self._reader = reader
        self._topics = topics

    def foresee(
        self, placed: Placed, *, recorded_before: datetime | None, keep_events: int | None
    ) -> Mapping[int, Front]:
        """Return what `trim` would delete of each partition, by id.

        Raises:
            KafkaSilent
        """
        bounds = self._reader.bounds({partition.id: place for partition, place in placed})
        kept = {
            partition.id: first_kept(
                bounds[partition.id],
                keep_events=keep_events,
                kept_by_age=None if recorded_before is None else offset_at(self._looker, place, recorded_before),
            )
            for partition, place in placed
        }
        since = self._reader.recorded_after([(partition, place, kept[partition.id] - 1) for partition, place in placed])
        return {
            partition.id: Front(bounds[partition.id].earliest_offset, kept[partition.id], at)
            for (partition, _), at in zip(placed, since, strict=True)
        }

    def trim(
        self, partition: PartitionRef, place: Place, *, recorded_before: datetime | None, keep_events: int | None
    ) -> int:
        """Delete what may go; return how many events went.

        Raises:
            KafkaSilent
        """
        front = self.foresee([(partition, place)], recorded_before=recorded_before, keep_events=keep_events)[
            partition.id
        ]
        if front.first_kept == front.earliest_offset:
            return 0
        low = self._topics.delete_records(place, before=front.first_kept - place.base)
        return max(0, low + place.base - front.earliest_offset)
