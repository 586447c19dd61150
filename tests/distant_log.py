"""An engine that promises only what every engine does, as one beyond the network is: for tests of whoever asks it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.db import connection

from streams.errors import (
    AppendNotStored,
    AppendOutcomeUnknown,
    EngineRefuses,
    LogUnavailable,
    NotOffered,
    PlaceFenced,
    TopicUnavailable,
)
from streams.log.memory import MemoryLog, check_records
from streams.log.protocol import (
    PLAIN_TOPIC,
    Appended,
    AppendedRange,
    Bounds,
    Capability,
    Epoch,
    ErasedEvent,
    Found,
    Front,
    LogHealth,
    Merged,
    MergeLimits,
    PartitionAppend,
    PartitionRef,
    ReadResult,
    Receipt,
    Run,
    TopicSight,
    TopicSpec,
    TopicTroubles,
)
from tests.distant_topics import DistantCopier, DistantTopics


def find_faults(options: Mapping[str, Any]) -> Sequence[str]:
    return [f"{name} is no option of this engine" for name in options if name != "is_weak"]


def find_weaknesses(options: Mapping[str, Any]) -> Sequence[str]:
    return ["events are kept in memory"] if options.get("is_weak") else []


def ask_for_weaknesses(options: Mapping[str, Any]) -> Sequence[str]:
    return ["it is beyond the network"] if options.get("is_weak") else []


def make_engine(alias: str, options: Mapping[str, Any]) -> "DistantLog":
    return DistantLog(alias)


@dataclass
class Weather:
    """What the engine's next calls meet.

    Attributes:
        is_away: nobody can reach it.
        stored_before_it_failed: an append stores so many of its events and then nobody knows; None: it does not fail.
        refuses: an append stores nothing, for certain.
        is_weak: it could lose what it has stored; who makes a stream there has to allow it.
        gone: topics that somebody has deleted, whatever is known of them here.
    """

    is_away: bool = False
    stored_before_it_failed: int | None = None
    refuses: bool = False
    troubles: TopicTroubles = field(default_factory=TopicTroubles)
    is_weak: bool = False
    gone: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)


class DistantLog(MemoryLog):
    """`TaggedLog` in memory, with the fewest capabilities.

    It keeps events one by one, each with what it was tagged with; another process's could lie between any two. What is
    there is found by the id of the partition and the name of the topic; one that nobody has ensured is gone.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    topic_prefix = "distant."
    copy_seconds = 8.0

    def __init__(self, alias: str = "distant") -> None:
        super().__init__()
        self.mirrored = DistantTopics()
        self.alias = alias
        self.weather = Weather()
        self.topics: dict[str, TopicSight] = {}
        self.byte_limits: dict[str, int | None] = {}
        self._tags: dict[tuple[int, int], tuple[bytes, int]] = {}
        self._fenced: set[int] = set()

    def _ask(self, what: str) -> None:
        assert not connection.in_atomic_block, "no engine is asked inside a transaction"
        self.weather.calls.append(what)
        if self.weather.is_away:
            raise LogUnavailable(self.alias, "it is away", retry_after=1)

    def _ask_of(self, what: str, partitions: Iterable[PartitionRef]) -> None:
        """Ask of all of them at once: one whose topic is gone keeps all from an answer."""
        self._ask(what)
        if any(epoch.topic in self.weather.gone for each in partitions for epoch in each.epochs[-1:]):
            raise TopicUnavailable(self.alias, "its topic is gone", retry_after=1)

    def _place(self, partition: PartitionRef) -> PartitionRef:
        """Return a partition with the id that one stretch of it has here."""
        if not partition.epochs:
            return partition
        epoch = partition.epochs[-1]
        place = partition._replace(id=_id_in(partition.id, epoch.topic))
        stored = self._partitions.get(place.id)
        if stored is not None and not stored.head_offset:
            # Where it begins nobody knew when it was made.
            stored.head_offset = epoch.first_offset - 1
        return place

    # --- copies --------------------------------------------------------------------------------------

    def make_topic(self, topic: str, partitions: int, *, allow_weak: bool) -> None:
        self._ask("make_topic")
        self.mirrored.make(topic, partitions)

    def open_copier(self, topic: str, group: str) -> DistantCopier:
        self._ask("open_copier")
        return DistantCopier(self.mirrored, topic, group)

    # --- append --------------------------------------------------------------------------------------

    def append(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        if receipt is not None:
            raise NotOffered(self.alias, "a receipt beside the events")
        self._check(appends)
        return self._send(appends, tag=None, found={})

    def append_tagged(
        self,
        appends: Sequence[PartitionAppend],
        *,
        tag: bytes,
        since: Mapping[int, int] | None = None,
        places: Sequence[int] | None = None,
        send_until: float | None = None,
    ) -> Appended:
        self._check(appends)
        count = sum(len(append.records) for append in appends)
        places = range(count) if places is None else places
        there = {} if since is None else self._find(appends, tag, since)
        found = {position: there[place] for position, place in enumerate(places) if place in there}
        return self._send(appends, tag=tag, found=found, places=places)

    async def append_tagged_async(
        self,
        appends: Sequence[PartitionAppend],
        *,
        tag: bytes,
        since: Mapping[int, int] | None = None,
        places: Sequence[int] | None = None,
        send_until: float | None = None,
    ) -> Appended:
        return self.append_tagged(appends, tag=tag, since=since, places=places)

    def find_tagged(self, partition: PartitionRef, *, tag: bytes, since: int) -> Mapping[int, Found]:
        self._ask("find_tagged")
        here = self._place(partition)
        at = {each.offset: each.recorded_at for each in self._events_of(here)}
        return {
            index: Found(offset, at[offset])
            for (place_id, offset), (own, index) in self._tags.items()
            if own == tag and place_id == here.id and offset > since
        }

    def find_records(self, partition: PartitionRef, records: Sequence[bytes], *, since: int) -> Mapping[int, Found]:
        self._ask("find_records")
        events = [each for each in self._events_of(self._place(partition)) if each.offset > since]
        stored = {each.record: Found(each.offset, each.recorded_at) for each in reversed(events)}
        return {index: stored[record] for index, record in enumerate(records) if record in stored}

    def _check(self, appends: Sequence[PartitionAppend]) -> None:
        check_records(appends)
        for append in appends:
            if append.deduplication is not None or append.expected_head is not None or append.timed:
                raise NotOffered(self.alias, "ids, heads and times of events")
        self._ask("append")

    def _find(self, appends: Sequence[PartitionAppend], tag: bytes, since: Mapping[int, int]) -> dict[int, int]:
        """Return the offsets of what an earlier try has stored, by the event's place in the request."""
        after = {self._place(each.partition).id: since[each.partition.id] for each in appends}
        return {
            index: offset
            for (place_id, offset), (own, index) in self._tags.items()
            if own == tag and place_id in after and offset > after[place_id]
        }

    def _send(
        self,
        appends: Sequence[PartitionAppend],
        *,
        tag: bytes | None,
        found: Mapping[int, int],
        places: Sequence[int] = (),
    ) -> Appended:
        if any(self._place(append.partition).id in self._fenced for append in appends):
            raise PlaceFenced([() for _ in appends], [0 for _ in appends])
        if self.weather.refuses:
            raise AppendOutcomeUnknown if found else AppendNotStored
        places_here = [self._place(append.partition) for append in appends]
        for place in places_here:
            self._partition(place)
        left = self.weather.stored_before_it_failed
        ranges, start = [], 0
        for append, here in zip(appends, places_here, strict=True):
            missing = [index for index in range(len(append.records)) if start + index not in found]
            if left is not None:
                missing, left = missing[:left], left - min(left, len(missing))
            placed = {}
            if missing:
                rest = append._replace(partition=here, records=[append.records[index] for index in missing])
                (now,) = super().append([rest]).ranges
                placed = {index: now.first_offset + place for place, index in enumerate(missing)}
            if tag is not None:
                self._tags |= {(here.id, offset): (tag, places[start + index]) for index, offset in placed.items()}
            placed |= {
                index - start: offset for index, offset in found.items() if start <= index < start + len(append.records)
            }
            at = {each.offset: each.recorded_at for each in self._events_of(here)}
            ranges.append(
                AppendedRange(append.partition, [Run(placed[i], placed[i], at[placed[i]]) for i in sorted(placed)])
            )
            start += len(append.records)
        if self.weather.stored_before_it_failed is not None:
            raise AppendOutcomeUnknown
        return Appended(ranges)

    # --- moving away ---------------------------------------------------------------------------------

    def foresee_place(self, partitions: Sequence[PartitionRef], spec: TopicSpec) -> Sequence[str]:
        self._ask("foresee_place")
        return []

    def foresee_fence(self, partitions: Sequence[PartitionRef]) -> Sequence[str]:
        self._ask("foresee_fence")
        return []

    def fence(self, partitions: Sequence[PartitionRef]) -> Mapping[int, int]:
        self._ask("fence")
        self._fenced |= {self._place(each).id for each in partitions}
        return {key: ends.head_offset for key, ends in self.bounds(partitions).items()}

    def lift_fence(self, partitions: Sequence[PartitionRef]) -> None:
        self._ask("lift_fence")
        self._fenced -= {self._place(each).id for each in partitions}

    # --- the rest ------------------------------------------------------------------------------------

    def read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        self._ask_of("read", [partition])
        return super().read(self._place(partition), after=after, max_events=max_events, max_bytes=max_bytes)

    def bounds(self, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        self._ask_of("bounds", partitions)
        here = {self._place(each).id: each.id for each in partitions}
        return {here[key]: ends for key, ends in super().bounds([self._place(each) for each in partitions]).items()}

    def offset_at(self, partition: PartitionRef, at: datetime) -> int:
        self._ask("offset_at")
        return super().offset_at(self._place(partition), at)

    def recorded_after(self, positions: Sequence[tuple[PartitionRef, int]]) -> Sequence[datetime | None]:
        self._ask_of("recorded_after", [each for each, _ in positions])
        return super().recorded_after([(self._place(each), after) for each, after in positions])

    def ensure(self, partitions: Sequence[PartitionRef], spec: TopicSpec = PLAIN_TOPIC) -> Mapping[int, Epoch]:
        self._ask("ensure")
        if self.weather.is_weak and not spec.allow_weak:
            raise EngineRefuses(f"The engine {self.alias} keeps events in memory. Say `allow_weak`.")
        topic = self.topic_for(partitions, spec)
        epoch = Epoch(spec.epoch_number, self.alias, topic, topic[::-1], spec.first_offset, base=spec.first_offset)
        self.topics.setdefault(topic, TopicSight(topic[::-1], len(partitions)))
        super().ensure([each._replace(id=_id_in(each.id, topic)) for each in partitions])
        return {each.id: epoch for each in partitions}

    def adopt(self, topic: str, *, is_read_only: bool, allow_weak: bool) -> TopicSight:
        self._ask("adopt")
        if topic not in self.topics:
            raise EngineRefuses(f"There is no topic {topic}.")
        return self.topics[topic]

    def topic_for(self, partitions: Sequence[PartitionRef], spec: TopicSpec) -> str:
        name = f"{partitions[0].stream}.{min(each.id for each in partitions)}"
        return name if spec.epoch_number == 1 else f"{name}-{spec.epoch_number}"

    def look_at_topics(self, topics: Sequence[str]) -> Mapping[str, TopicSight]:
        self._ask("look_at_topics")
        return {topic: self.topics[topic] for topic in topics if topic in self.topics.keys() - self.weather.gone}

    def find_troubles(self, topics: Mapping[str, int]) -> TopicTroubles:
        self._ask("find_troubles")
        return self.weather.troubles

    def limit_bytes(self, topics: Mapping[str, int | None]) -> int:
        self._ask("limit_bytes")
        changed = [name for name, limit in topics.items() if self.byte_limits.get(name) != limit]
        self.byte_limits |= topics
        return len(changed)

    def stored_heads(self, partitions: Sequence[PartitionRef]) -> Mapping[int, int]:
        self._ask("stored_heads")
        here = {self._place(each).id: each.id for each in partitions}
        return {
            here[key]: ends.head_offset
            for key, ends in super().bounds([self._place(each) for each in partitions]).items()
        }

    def foresee_trim(self, partitions: Sequence[PartitionRef], **limits: Any) -> Mapping[int, Front]:
        self._ask("foresee_trim")
        # As they lie here, and nowhere else: what tries it asks this engine again.
        places = [self._place(each)._replace(epochs=()) for each in partitions]
        here = {place.id: each.id for place, each in zip(places, partitions, strict=True)}
        fronts = super().foresee_trim(places, **{**limits, "keep_bytes": None})
        return {here[key]: front for key, front in fronts.items()}

    def place_among(self, partitions: Sequence[PartitionRef], count: int) -> None:
        raise NotOffered(self.alias, "more partitions")

    def trim(self, partition: PartitionRef, **limits: Any) -> int:
        self._ask("trim")
        place = self._place(partition)
        with self._lock:
            if place.id in self._partitions:
                stored = self._partitions[place.id]
                stored.batches = [[event] for event in stored.events]
            return super().trim(place, **{**limits, "keep_bytes": None, "max_batches": 10**9})

    def merge(self, partition: PartitionRef, limits: MergeLimits) -> Merged:
        """Nothing to do: there are no batches."""
        return Merged()

    def erase(self, partition: PartitionRef, offset: int, *, at: datetime) -> ErasedEvent | None:
        raise NotOffered(self.alias, "the erasure of one event")

    def drop(self, partitions: Sequence[PartitionRef]) -> None:
        self._ask("drop")
        super().drop([self._place(each) for each in partitions])

    def health(self) -> LogHealth:
        if self.weather.is_away:
            return LogHealth(is_writable=False, is_durable=False, reason="it is away")
        if self.weather.is_weak:
            return LogHealth(is_writable=True, is_durable=False, reason="events are kept in memory")
        return LogHealth(is_writable=True, is_durable=True)


def _id_in(partition_id: int, topic: str) -> int:
    number = int(topic.rpartition(".")[2].partition("-")[2] or 1)
    return partition_id + ((number - 1) << 40)
