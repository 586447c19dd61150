"""Reading a partition: the ends, then what the cache has, then what the brokers give."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from confluent_kafka import Message

from streams.log.cache import BatchCache
from streams.log.kafka.consumers import ConsumerPool, LentConsumer, Standing
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.events import batch_of, offset_of
from streams.log.kafka.fetching import PositionPassed, RetentionCameBy, fetch_first_of_each, fetch_step
from streams.log.kafka.looking import Ends, Looker
from streams.log.kafka.messages import milliseconds_of
from streams.log.kafka.moments import moment_of_millisecond
from streams.log.kafka.newest import NewestSeen
from streams.log.kafka.places import Place
from streams.log.kafka.sent import Stored
from streams.log.kafka.sparse import Step, fetch_sparse_step
from streams.log.protocol import JUST_NOW, Bounds, LogDamaged, PartitionRef, ReadResult
from streams.log.selection import Selection, result_of
from streams.stored_event import recorded_at_of

# What a reader has fetched is placed and kept, also beyond what was asked: the next one goes on there.
_STEP_RECORDS = 1_000
# So far before the end of a topic that others write somebody's record is found, as a rule.
_BEFORE_HOLES = 100
# What was sent a moment ago was recorded since then, by whosever clock.
_RECENT_SECONDS = 60.0


class KafkaReader:
    """Reads partitions; one for each process, shared by its threads.

    Attributes:
        newest: the appends and reads of this process tell it what they see.
    """

    def __init__(self, looker: Looker, *, readers: ConsumerPool, peekers: ConsumerPool, cache_bytes: int) -> None:
        self._looker = looker
        self._readers = readers
        self._peekers = peekers
        self._keeps = cache_bytes > 0
        self.cache = BatchCache(cache_bytes)
        self.newest = NewestSeen()

    def read(self, partition: PartitionRef, place: Place, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        """Return events as `Log.read` promises."""
        after = max(0, after)
        while True:
            # What was appended before this call must be seen: the end is asked for, not remembered. What is appended
            # from now on need not be.
            seen = self.newest.offset(partition.id)
            [ends] = self._looker.ends([place])
            _check_head(partition, place, ends, seen=seen)
            earliest, next_to_come = ends.low + place.base, ends.high + place.base
            start = max(after, earliest - 1)
            selection = Selection(after=start, max_events=max_events, max_bytes=max_bytes)
            selection.take_while_it_continues(
                self.cache.run(partition.id, after=start, max_events=max_events, max_bytes=max_bytes)
            )
            try:
                while not selection.is_full and selection.next_offset + 1 < next_to_come:
                    self._take_step(partition, place, selection, end=ends.high)
            except RetentionCameBy:
                continue
            if selection.events:
                self.newest.note(partition.id, selection.next_offset, recorded_at_of(selection.events[-1]))
            return result_of(after, selection, self._bounds(partition.id, place, ends))

    def _take_step(self, partition: PartitionRef, place: Place, selection: Selection, *, end: int) -> None:
        standing = Standing(place, selection.next_offset + 1 - place.base)
        pool = self._peekers if selection.events_left == 1 else self._readers
        # A consumer that reads further than is kept would have to go back the next time.
        count = _STEP_RECORDS if self._keeps else selection.events_left
        with pool.lend(standing) as consumer:
            try:
                records = fetch_step(consumer, standing, end=end, max_records=count)
            except PositionPassed as error:
                raise LogDamaged(
                    f"topic {place.topic}, partition {place.number}: offset {selection.next_offset + 1} holds no record"
                ) from error
        batch = batch_of(place, records)
        if batch.first_offset != selection.next_offset + 1:
            raise LogDamaged(
                f"topic {place.topic}, partition {place.number}: offset {selection.next_offset + 1} is missing"
            )
        self.cache.add(partition.id, [batch])
        selection.take(batch)

    def bounds(self, places: Mapping[int, Place]) -> Mapping[int, Bounds]:
        """Return the ends of partitions by id. `last_recorded_at` is as this process last saw it, or looks once."""
        ends = dict(zip(places, self._looker.ends(list(places.values())), strict=True))
        self._see_newest({key: (place, ends[key]) for key, place in places.items()})
        return {key: self._bounds(key, place, ends[key]) for key, place in places.items()}

    def _see_newest(self, ends: Mapping[int, tuple[Place, Ends]]) -> None:
        unseen = {
            key: Standing(place, end.high - 1)
            for key, (place, end) in ends.items()
            if end.high > end.low and self.newest.recorded_at(key) is None
        }
        if unseen:
            found = fetch_first_of_each(self._peekers, unseen)
            for key, record in found.items():
                at = moment_of_millisecond(milliseconds_of(record))
                self.newest.note(key, unseen[key].position + unseen[key].place.base, at)
            self._see_before_holes({key: each for key, each in unseen.items() if key not in found}, ends)

    def _see_before_holes(self, unseen: Mapping[int, Standing], ends: Mapping[int, tuple[Place, Ends]]) -> None:
        """Of partitions that end with holes, take the time of a record a little before: about as new as the newest."""
        before = {
            key: each._replace(position=max(ends[key][1].low, each.position - _BEFORE_HOLES))
            for key, each in unseen.items()
            if each.place.is_sparse
        }
        for key, record in (fetch_first_of_each(self._peekers, before) if before else {}).items():
            self.newest.note(key, offset_of(before[key].place, record), moment_of_millisecond(milliseconds_of(record)))

    def _bounds(self, partition_id: int, place: Place, ends: Ends) -> Bounds:
        head = ends.high - 1 + place.base
        return Bounds(ends.low + place.base, head, self.newest.recorded_at(partition_id) if head else None)

    def recorded_after(self, positions: Sequence[tuple[PartitionRef, Place, int]]) -> Sequence[datetime | None]:
        """Return when the first kept event after each offset was recorded, in the order of the positions.

        Kafka has no such question: what is not cached is fetched, one event of each partition at a time.
        """
        places = {partition.id: place for partition, place, _ in positions}
        ends = dict(zip(places, self._looker.ends(list(places.values())), strict=True))
        answers: list[datetime | None] = [None] * len(positions)
        # Of one partition several may be asked; a consumer stands at one place in it.
        rounds: list[dict[int, tuple[int, Standing]]] = []
        for index, (partition, place, after) in enumerate(positions):
            end = ends[partition.id]
            offset = max(after + 1, end.low + place.base)
            if offset >= end.high + place.base:
                continue
            if (cached := self._cached(partition.id, offset)) is not None:
                answers[index] = cached
                continue
            standing = Standing(place, offset - place.base)
            free = next((each for each in rounds if partition.id not in each), None)
            if free is None:
                rounds.append(free := {})
            free[partition.id] = (index, standing)
        for asked in rounds:
            records = fetch_first_of_each(self._peekers, {key: standing for key, (_, standing) in asked.items()})
            for key, record in records.items():
                answers[asked[key][0]] = moment_of_millisecond(milliseconds_of(record))
        return answers

    def _cached(self, partition_id: int, offset: int) -> datetime | None:
        batches = self.cache.run(partition_id, after=offset - 1, max_events=1, max_bytes=1)
        return recorded_at_of(batches[0].events[offset - batches[0].first_offset]) if batches else None

    def find(
        self, place: Place, ends: Ends, *, since: int, index_of: Callable[[Message], int | None]
    ) -> Mapping[int, Stored]:
        """Return where records are behind an offset that are somebody's, by what `index_of` says they are.

        Args:
            since: or `JUST_NOW`.

        Raises:
            KafkaSilent
        """
        if since == JUST_NOW:
            recent = self._looker.first_since(place, int((time.time() - _RECENT_SECONDS) * 1_000))
            position = ends.high if recent is None else max(recent, ends.low)
        else:
            position = max(since + 1 - place.base, ends.low)
        found: dict[int, Stored] = {}
        while position < ends.high:
            standing = Standing(place, position)
            try:
                with self._readers.lend(standing) as consumer:
                    records, is_last = _step(consumer, standing, end=ends.high)
            except RetentionCameBy as error:
                [now] = self._looker.ends([place])
                if now.low <= position:
                    raise KafkaSilent("Kafka does not give what it says is kept", is_of_one_topic=True) from error
                position = now.low
                continue
            for record in records:
                position = offset_of(place, record) - place.base + 1
                if (index := index_of(record)) is not None:
                    found[index] = Stored(position - 1, milliseconds_of(record))
            if is_last:
                break
        return found


def _check_head(partition: PartitionRef, place: Place, ends: Ends, *, seen: int) -> None:
    """Answer nobody with a head that has gone back.

    Args:
        seen: the highest offset that this process had seen before it asked for the ends.

    Raises:
        KafkaSilent: what is there is not what was.
    """
    head = ends.high - 1 + place.base
    if place.stop is None and not place.is_sparse and head < seen:
        raise KafkaSilent(
            f"{partition.stream}/{partition.number} ends at {head}, and had events up to {seen}", is_of_one_topic=True
        )


def _step(consumer: LentConsumer, standing: Standing, *, end: int) -> Step:
    if standing.place.is_sparse:
        return fetch_sparse_step(consumer, standing, end=end, max_records=_STEP_RECORDS)
    try:
        return Step(fetch_step(consumer, standing, end=end, max_records=_STEP_RECORDS), is_last=False)
    except PositionPassed:
        # Who reads is told of the hole. Whoever looks for records only wants to know that none comes any more.
        return Step((), is_last=True)
