"""An engine that promises only what every engine does, as one beyond the network is: for tests of whoever asks it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.db import connection

from streams.errors import AppendNotStored, AppendOutcomeUnknown, EngineRefuses, LogUnavailable, NotOffered
from streams.log.memory import MemoryLog, check_records
from streams.log.protocol import (
    PLAIN_TOPIC,
    Appended,
    AppendedRange,
    Bounds,
    Capability,
    Epoch,
    ErasedEvent,
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
    """

    is_away: bool = False
    stored_before_it_failed: int | None = None
    refuses: bool = False
    troubles: TopicTroubles = field(default_factory=TopicTroubles)
    is_weak: bool = False
    calls: list[str] = field(default_factory=list)


class DistantLog(MemoryLog):
    """`TaggedLog` in memory, with the fewest capabilities.

    It keeps events one by one, each with what it was tagged with; another process's could lie between any two. What is
    there is found by the id of the partition; a partition that nobody has ensured is gone.
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
        self._tags: dict[tuple[int, int], tuple[bytes, int]] = {}

    def _ask(self, what: str) -> None:
        assert not connection.in_atomic_block, "no engine is asked inside a transaction"
        self.weather.calls.append(what)
        if self.weather.is_away:
            raise LogUnavailable(self.alias, "it is away", retry_after=1)

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
        self, appends: Sequence[PartitionAppend], *, tag: bytes, since: Mapping[int, int] | None = None
    ) -> Appended:
        self._check(appends)
        return self._send(appends, tag=tag, found={} if since is None else self._find(tag, since))

    async def append_tagged_async(
        self, appends: Sequence[PartitionAppend], *, tag: bytes, since: Mapping[int, int] | None = None
    ) -> Appended:
        return self.append_tagged(appends, tag=tag, since=since)

    def _check(self, appends: Sequence[PartitionAppend]) -> None:
        check_records(appends)
        for append in appends:
            if append.deduplication is not None or append.expected_head is not None or append.timed:
                raise NotOffered(self.alias, "ids, heads and times of events")
        self._ask("append")

    def _find(self, tag: bytes, since: Mapping[int, int]) -> dict[int, int]:
        """Return the offsets of what an earlier try has stored, by the event's place in the request."""
        return {
            index: offset
            for (partition_id, offset), (own, index) in self._tags.items()
            if own == tag and offset > since[partition_id]
        }

    def _send(self, appends: Sequence[PartitionAppend], *, tag: bytes | None, found: Mapping[int, int]) -> Appended:
        if self.weather.refuses:
            raise AppendOutcomeUnknown if found else AppendNotStored
        for append in appends:
            self._partition(append.partition)
        left = self.weather.stored_before_it_failed
        ranges, start = [], 0
        for append in appends:
            missing = [index for index in range(len(append.records)) if start + index not in found]
            if left is not None:
                missing, left = missing[:left], left - min(left, len(missing))
            placed = {}
            if missing:
                (now,) = super().append([append._replace(records=[append.records[index] for index in missing])]).ranges
                placed = {index: now.first_offset + place for place, index in enumerate(missing)}
            if tag is not None:
                self._tags |= {(append.partition.id, offset): (tag, start + index) for index, offset in placed.items()}
            placed |= {
                index - start: offset for index, offset in found.items() if start <= index < start + len(append.records)
            }
            at = {each.offset: each.recorded_at for each in self._events_of(append.partition)}
            ranges.append(
                AppendedRange(append.partition, [Run(placed[i], placed[i], at[placed[i]]) for i in sorted(placed)])
            )
            start += len(append.records)
        if self.weather.stored_before_it_failed is not None:
            raise AppendOutcomeUnknown
        return Appended(ranges)

    # --- the rest ------------------------------------------------------------------------------------

    def read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        self._ask("read")
        return super().read(partition, after=after, max_events=max_events, max_bytes=max_bytes)

    def bounds(self, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        self._ask("bounds")
        return super().bounds(partitions)

    def offset_at(self, partition: PartitionRef, at: datetime) -> int:
        self._ask("offset_at")
        return super().offset_at(partition, at)

    def recorded_after(self, positions: Sequence[tuple[PartitionRef, int]]) -> Sequence[datetime | None]:
        self._ask("recorded_after")
        return super().recorded_after(positions)

    def ensure(self, partitions: Sequence[PartitionRef], spec: TopicSpec = PLAIN_TOPIC) -> Mapping[int, Epoch]:
        self._ask("ensure")
        if self.weather.is_weak and not spec.allow_weak:
            raise EngineRefuses(f"The engine {self.alias} keeps events in memory. Say `allow_weak`.")
        new = [each for each in partitions if each.id not in self._partitions]
        super().ensure(new)
        for each in new:
            self._partitions[each.id].head_offset = spec.first_offset - 1
        topic = self.topic_for(partitions, spec)
        self.topics.setdefault(topic, TopicSight(topic[::-1], len(partitions)))
        return {
            each.id: Epoch(spec.epoch_number, self.alias, topic, topic[::-1], spec.first_offset, base=spec.first_offset)
            for each in partitions
        }

    def adopt(self, topic: str, *, is_read_only: bool, allow_weak: bool) -> TopicSight:
        self._ask("adopt")
        if topic not in self.topics:
            raise EngineRefuses(f"There is no topic {topic}.")
        return self.topics[topic]

    def topic_for(self, partitions: Sequence[PartitionRef], spec: TopicSpec) -> str:
        return f"{partitions[0].stream}.{min(each.id for each in partitions)}"

    def look_at_topics(self, topics: Sequence[str]) -> Mapping[str, TopicSight]:
        self._ask("look_at_topics")
        return {topic: self.topics[topic] for topic in topics if topic in self.topics}

    def find_troubles(self, topics: Mapping[str, int]) -> TopicTroubles:
        self._ask("find_troubles")
        return self.weather.troubles

    def stored_heads(self, partitions: Sequence[PartitionRef]) -> Mapping[int, int]:
        self._ask("stored_heads")
        return {each: ends.head_offset for each, ends in super().bounds(partitions).items()}

    def foresee_trim(self, partitions: Sequence[PartitionRef], **limits: Any) -> Mapping[int, Front]:
        self._ask("foresee_trim")
        return super().foresee_trim(partitions, **{**limits, "keep_bytes": None})

    def place_among(self, partitions: Sequence[PartitionRef], count: int) -> None:
        raise NotOffered(self.alias, "more partitions")

    def trim(self, partition: PartitionRef, **limits: Any) -> int:
        self._ask("trim")
        with self._lock:
            if partition.id in self._partitions:
                stored = self._partitions[partition.id]
                stored.batches = [[event] for event in stored.events]
            return super().trim(partition, **{**limits, "keep_bytes": None, "max_batches": 10**9})

    def merge(self, partition: PartitionRef, limits: MergeLimits) -> Merged:
        """Nothing to do: there are no batches."""
        return Merged()

    def erase(self, partition: PartitionRef, offset: int, *, at: datetime) -> ErasedEvent | None:
        raise NotOffered(self.alias, "the erasure of one event")

    def drop(self, partitions: Sequence[PartitionRef]) -> None:
        self._ask("drop")
        super().drop(partitions)

    def health(self) -> LogHealth:
        if self.weather.is_away:
            return LogHealth(is_writable=False, is_durable=False, reason="it is away")
        if self.weather.is_weak:
            return LogHealth(is_writable=True, is_durable=False, reason="events are kept in memory")
        return LogHealth(is_writable=True, is_durable=True)
