"""The engine on the Kafka protocol: one producer, a few consumers, and a topic for each stream."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import ClassVar, Final

from accounts.waits import running_loop
from streams.errors import (
    AppendOutcomeUnknown,
    EngineRefuses,
    LogUnavailable,
    NotOffered,
    PartitionGone,
    PlaceFenced,
    TopicUnavailable,
)
from streams.log.kafka.byte_limits import ByteLimits
from streams.log.kafka.client_settings import (
    COPY_TIMEOUT_MS,
    LEADERS_ASKER,
    LOOKER,
    LOOKER_BEHIND_TRANSACTIONS,
    MAX_MESSAGE_BYTES,
    PEEKER,
    PRODUCER,
    READER,
)
from streams.log.kafka.configuration import KafkaOptions, find_weakness_of_brokers
from streams.log.kafka.consumers import ConsumerPool
from streams.log.kafka.copying import KafkaCopier
from streams.log.kafka.dropping import Dropped
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.fencing import Fence
from streams.log.kafka.finding import Finder
from streams.log.kafka.looking import Looker
from streams.log.kafka.moments import moment_of_millisecond
from streams.log.kafka.opening import Opener
from streams.log.kafka.places import Place, place_of
from streams.log.kafka.producing import LogProducer
from streams.log.kafka.ranges import heads_of
from streams.log.kafka.reading import KafkaReader
from streams.log.kafka.retaining import Retention, offset_at
from streams.log.kafka.sending import Fenced, Sender, Tagged, check_records
from streams.log.kafka.sent import Stored
from streams.log.kafka.settled import SettledEnds
from streams.log.kafka.sparse import SparseReader
from streams.log.kafka.topic_watch import TopicWatch
from streams.log.kafka.topics import CopyShape, Topics, TopicShape
from streams.log.offering import TRIMMING_ADOPTED, require_for_appends
from streams.log.protocol import (
    JUST_NOW,
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
    OldestId,
    PartitionAppend,
    PartitionRef,
    ReadResult,
    Receipt,
    TopicSight,
    TopicSpec,
    TopicTroubles,
)

logger = logging.getLogger(__name__)

_PEEKERS: Final = 2
_LOOKERS: Final = 2
_LEADERS_ASKERS: Final = 2
# What an event's key, headers and frame may take beside it.
_FRAME_BYTES: Final = 2_048
_RETRY_SECONDS: Final = 1.0

Placed = Sequence[tuple[PartitionAppend, Place]]


class KafkaLog:
    """`TaggedLog` on Kafka. Made without a connection: the first call that needs one opens it.

    Args:
        alias: what the installation calls this engine.
        on_append: told the new head of each partition after every append, by whoever waited for it.
        is_known: asks the control plane whether there is such a partition, where Kafka says that there is none.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    copy_seconds: ClassVar[float] = COPY_TIMEOUT_MS / 1_000

    def __init__(
        self,
        alias: str,
        options: KafkaOptions,
        *,
        on_append: Callable[[Mapping[int, int]], None] | None = None,
        is_known: Callable[[PartitionRef], bool] | None = None,
        opener: Opener | None = None,
    ) -> None:
        self.alias = alias
        self.topic_prefix = options.topic_prefix
        self._options = options
        self._on_append = on_append
        self._has_looked_at_brokers = False
        self._dropped = Dropped(is_known)
        self._opener = opener = opener or Opener(options)
        self._producer = LogProducer(PRODUCER, opener.producer)
        self._sender = Sender(self._producer)
        looker_pool = ConsumerPool(LOOKER, opener.consumer, size=_LOOKERS)
        readers = ConsumerPool(READER, opener.consumer, size=options.readers)
        peekers = ConsumerPool(PEEKER, opener.consumer, size=_PEEKERS)
        asker_pool = ConsumerPool(LEADERS_ASKER, opener.consumer, size=_LEADERS_ASKERS)
        behind_pool = ConsumerPool(LOOKER_BEHIND_TRANSACTIONS, opener.consumer, size=1)
        self._pools = (readers, peekers, looker_pool, asker_pool, behind_pool)
        self._looker = Looker(looker_pool)
        self._looker_behind_transactions = Looker(behind_pool)
        self._reader = KafkaReader(self._looker, readers=readers, peekers=peekers, cache_bytes=options.cache_bytes)
        self._finder = Finder(self._reader, SettledEnds(asker_pool, self._looker))
        self._sparse_reader = SparseReader(self._looker, readers=readers, peekers=peekers)
        self.topics = Topics(opener)
        self._watch = TopicWatch(self.topics)
        self._retention = Retention(self._looker, self._reader, self.topics)
        self._byte_limits = ByteLimits(self.topics)
        self._fence = Fence(self.topics, self._sender, self._looker)

    # --- append --------------------------------------------------------------------------------------

    def append(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        placed = self._placed(appends, receipt)
        before = self._heads_seen(placed)
        with self._noticing_fences(placed):
            return self._told(self._sender.send(placed), before)

    async def append_async(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        if running_loop() is None:
            return self.append(appends, receipt=receipt)
        placed = self._placed(appends, receipt)
        before = self._heads_seen(placed)
        with self._noticing_fences(placed):
            return self._told(await self._sender.send_async(placed), before)

    def append_tagged(
        self,
        appends: Sequence[PartitionAppend],
        *,
        tag: bytes,
        since: Mapping[int, int] | None = None,
        places: Sequence[int] | None = None,
        send_until: float | None = None,
    ) -> Appended:
        """Do what `append` does for a request that may be tried again with the same tag (`TaggedLog`).

        No try may be under way any more: it ends `message.timeout.ms` after its last event was sent.
        """
        placed = self._placed(appends, None)
        with self._noticing_fences(placed):
            return self._told(self._sender.send(placed, self._tagged(placed, tag, since, places, send_until)))

    async def append_tagged_async(
        self,
        appends: Sequence[PartitionAppend],
        *,
        tag: bytes,
        since: Mapping[int, int] | None = None,
        places: Sequence[int] | None = None,
        send_until: float | None = None,
    ) -> Appended:
        """Do the same, and let the event loop go on meanwhile."""
        if running_loop() is None:
            return self.append_tagged(appends, tag=tag, since=since, places=places, send_until=send_until)
        placed = self._placed(appends, None)
        if since is None:
            tagged = Tagged(tag, {}, places)
        else:
            tagged = await asyncio.to_thread(self._tagged, placed, tag, since, places, send_until)
        with self._noticing_fences(placed):
            return self._told(await self._sender.send_async(placed, tagged))

    def _tagged(
        self,
        placed: Placed,
        tag: bytes,
        since: Mapping[int, int] | None,
        places: Sequence[int] | None,
        until: float | None,
    ) -> Tagged:
        if since is None:
            return Tagged(tag, {}, places)
        with self._asking([append.partition for append, _ in placed]):
            behind = {place: since[append.partition.id] for append, place in placed}
            found = self._finder.find_tagged(behind, tag, until=until)
        if places is not None:
            found = {position: found[at] for position, at in enumerate(places) if at in found}
        return Tagged(tag, found, places)

    def find_tagged(self, partition: PartitionRef, *, tag: bytes, since: int) -> Mapping[int, Found]:
        place = self._place(partition)
        with self._asking([partition]):
            return _found_at(place, self._finder.find_tagged({place: since}, tag))

    def find_records(self, partition: PartitionRef, records: Sequence[bytes], *, since: int) -> Mapping[int, Found]:
        place = self._place(partition)
        with self._asking([partition]):
            return _found_at(place, self._finder.find_records(place, records, since=since))

    @contextmanager
    def _noticing_fences(self, placed: Placed) -> Iterator[None]:
        # Before anything is sent: whatever is stored of it lies behind.
        since = [self._reader.newest.offset(append.partition.id) or JUST_NOW for append, _ in placed]
        try:
            yield
        except Fenced as fenced:
            stored = [
                [(each.offset + place.base, moment_of_millisecond(each.milliseconds)) for each in own]
                for (_, place), own in zip(placed, fenced.stored, strict=True)
            ]
            raise PlaceFenced(stored, since) from None

    def _placed(self, appends: Sequence[PartitionAppend], receipt: Receipt | None) -> Placed:
        check_records(appends, max_bytes=MAX_MESSAGE_BYTES - _FRAME_BYTES)
        if receipt is not None:
            raise NotOffered(self.alias, "a receipt in the events' own transaction")
        require_for_appends(self.alias, self.capabilities, appends)
        return [(append, self._place(append.partition)) for append in appends]

    def _heads_seen(self, placed: Placed) -> Mapping[int, int]:
        return {append.partition.id: self._reader.newest.offset(append.partition.id) for append, _ in placed}

    def _told(self, ranges: Sequence[AppendedRange], before: Mapping[int, int] | None = None) -> Appended:
        """Note what was appended, and return it.

        Args:
            before: the highest offset of each partition that was seen here before it was sent.

        Raises:
            AppendOutcomeUnknown: it was put where events had been: that is another topic, of the same name.
        """
        for each in ranges:
            if before is not None and each.first_offset <= before[each.partition.id]:
                logger.error(
                    "%s/%d: an append went to offset %d, and there were events up to %d: its topic was made anew",
                    each.partition.stream,
                    each.partition.number,
                    each.first_offset,
                    before[each.partition.id],
                )
                raise AppendOutcomeUnknown(
                    f"The topic of {each.partition.stream} was lost or made anew: these events are where others had "
                    "been, and will hardly stay there."
                )
            self._reader.newest.note(each.partition.id, each.last_offset, each.recorded_at)
        if self._on_append is not None:
            self._on_append(heads_of(ranges))
        return Appended(ranges)

    # --- read ----------------------------------------------------------------------------------------

    def read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        place = self._place(partition)
        with self._asking([partition]):
            reader = self._sparse_reader if place.is_sparse else self._reader
            return reader.read(partition, place, after=after, max_events=max_events, max_bytes=max_bytes)

    def bounds(self, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        """Return the ends. `last_recorded_at` is as this process last saw it; what it has not seen it looks at once."""
        known = self._known(partitions)
        with self._asking(partitions):
            return self._reader.bounds({partition.id: place for partition, place in known})

    def offset_at(self, partition: PartitionRef, at: datetime) -> int:
        place = self._place(partition)
        with self._asking([partition]):
            return offset_at(self._looker, place, at)

    def recorded_after(self, positions: Sequence[tuple[PartitionRef, int]]) -> Sequence[datetime | None]:
        """Return the times; each that is not in memory costs a fetch."""
        places = dict(self._known([partition for partition, _ in positions]))
        asked = [(index, each) for index, (each, _) in enumerate(positions) if each in places]
        with self._asking([partition for partition, _ in positions]):
            found = self._reader.recorded_after([(each, places[each], positions[index][1]) for index, each in asked])
        answers: list[datetime | None] = [None] * len(positions)
        for (index, _), at in zip(asked, found, strict=True):
            answers[index] = at
        return answers

    # --- topics --------------------------------------------------------------------------------------

    def ensure(self, partitions: Sequence[PartitionRef], spec: TopicSpec = PLAIN_TOPIC) -> Mapping[int, Epoch]:
        self._refuse_if_weak(spec)
        topic = self.topic_for(partitions, spec)
        with self._asking([]):
            topic_id = self.topics.ensure(topic, self._shape_of(partitions, spec))
            self._warn_of_slow_brokers()
        epoch = Epoch(
            spec.epoch_number, self.alias, topic, topic_id, first_offset=spec.first_offset, base=spec.first_offset
        )
        return {each.id: epoch for each in partitions}

    def adopt(self, topic: str, *, is_read_only: bool, allow_weak: bool) -> TopicSight:
        with self._asking([]):
            return self.topics.adopt(topic, is_read_only=is_read_only, allow_weak=allow_weak)

    def foresee_place(self, partitions: Sequence[PartitionRef], spec: TopicSpec) -> Sequence[str]:
        with self._asking([]):
            refusal = self.topics.find_refusal(self.topic_for(partitions, spec), self._shape_of(partitions, spec))
        return [each for each in (self._find_weakness(spec), refusal) if each]

    def _refuse_if_weak(self, spec: TopicSpec) -> None:
        if weakness := self._find_weakness(spec):
            raise EngineRefuses(weakness)

    def _find_weakness(self, spec: TopicSpec) -> str:
        if self._options.is_durable or spec.allow_weak:
            return ""
        return (
            f"The engine {self.alias} has min_in_sync_replicas of 1: with one broker the events would be lost that "
            "it alone has stored. Set it to 2 or more, or say `allow_weak`."
        )

    def topic_for(self, partitions: Sequence[PartitionRef], spec: TopicSpec) -> str:
        [stream] = {each.stream for each in partitions}
        # A partition's id is never used again, so neither is the name.
        return f"{self._options.topic_prefix}{stream}.{min(each.id for each in partitions)}.{spec.epoch_number}"

    def look_at_topics(self, topics: Sequence[str]) -> Mapping[str, TopicSight]:
        with self._asking([]):
            return self.topics.look_at(topics)

    def find_troubles(self, topics: Mapping[str, int]) -> TopicTroubles:
        with self._asking([]):
            return self._watch.find_troubles(topics)

    def limit_bytes(self, topics: Mapping[str, int | None]) -> int:
        with self._asking([]):
            return self._byte_limits.tell(topics)

    def stored_heads(self, partitions: Sequence[PartitionRef]) -> Mapping[int, int]:
        known = self._known(partitions)
        with self._asking(partitions):
            ends = self._looker_behind_transactions.ends([place for _, place in known])
        return {each.id: end.high - 1 + place.base for (each, place), end in zip(known, ends, strict=True)}

    def _shape_of(self, partitions: Sequence[PartitionRef], spec: TopicSpec) -> TopicShape:
        return TopicShape(
            len(partitions),
            self._options.replication_factor,
            self._options.min_in_sync_replicas,
            None if spec.max_bytes is None else max(1, spec.max_bytes // len(partitions)),
        )

    def _warn_of_slow_brokers(self) -> None:
        if self._has_looked_at_brokers:
            return
        self._has_looked_at_brokers = True
        timeout = self.topics.session_timeout_ms()
        if timeout is not None and (words := find_weakness_of_brokers(self._options, session_timeout_ms=timeout)):
            logger.warning("engine %s: %s", self.alias, words)

    def trim(
        self,
        partition: PartitionRef,
        *,
        recorded_before: datetime | None = None,
        keep_bytes: int | None = None,
        keep_events: int | None = None,
        max_batches: int = 1_000,
    ) -> int:
        """Delete exactly what may go. Bytes are the topic's own matter (`TopicSpec.max_bytes`)."""
        if not self._known([partition]):
            return 0
        place = self._place(partition)
        if place.is_sparse:
            raise NotOffered(self.alias, TRIMMING_ADOPTED)
        with self._asking([partition]):
            return self._retention.trim(partition, place, recorded_before=recorded_before, keep_events=keep_events)

    def foresee_trim(
        self,
        partitions: Sequence[PartitionRef],
        *,
        recorded_before: datetime | None = None,
        keep_bytes: int | None = None,
        keep_events: int | None = None,
        max_batches: int = 50_000,
    ) -> Mapping[int, Front]:
        known = [(each, place) for each, place in self._known(partitions) if not place.is_sparse]
        with self._asking(partitions):
            return self._retention.foresee(known, recorded_before=recorded_before, keep_events=keep_events)

    def drop(self, partitions: Sequence[PartitionRef]) -> None:
        """Delete the partitions' events; their topic goes with the last of them. Another topic of its name stays."""
        placed = [(each, place_of(each)) for each in partitions if each.epochs and not each.epochs[-1].is_external]
        self._dropped.add(place for _, place in placed)
        for each in partitions:
            self._reader.cache.discard(each.id)
            self._reader.newest.forget(each.id)
        with self._asking([]):
            sights = self.topics.look_at({place.topic for _, place in placed})
            noted = {each.epochs[-1].topic: each.epochs[-1].topic_id for each, _ in placed}
            for topic, sight in sights.items():
                if noted[topic] not in {"", sight.topic_id}:
                    logger.warning(
                        "engine %s: the topic %s is another one by now, and is left alone", self.alias, topic
                    )
                elif len(self._dropped.numbers_of(topic)) >= sight.partitions:
                    self.topics.delete(topic)
                    self._dropped.forget(topic)
                else:
                    for place in (place for _, place in placed if place.topic == topic):
                        self.topics.delete_all_records(place)

    # --- copies --------------------------------------------------------------------------------------

    def make_topic(self, topic: str, partitions: int, *, allow_weak: bool) -> None:
        self._refuse_if_weak(TopicSpec(allow_weak=allow_weak))
        shape = CopyShape(partitions, self._options.replication_factor, self._options.min_in_sync_replicas)
        with self._asking([]):
            self.topics.ensure(topic, shape)

    def open_copier(self, topic: str, group: str) -> KafkaCopier:
        return KafkaCopier(self.alias, topic, group, self._opener)

    # --- moving away ---------------------------------------------------------------------------------

    def fence(self, partitions: Sequence[PartitionRef]) -> Mapping[int, int]:
        placed = [(each, self._place(each)) for each in partitions]
        with self._asking(partitions):
            return self._fence.close(placed)

    def lift_fence(self, partitions: Sequence[PartitionRef]) -> None:
        with self._asking(partitions):
            self._fence.lift(self._place(partitions[0]).topic)

    def foresee_fence(self, partitions: Sequence[PartitionRef]) -> Sequence[str]:
        try:
            with self._asking(partitions):
                self._fence.try_out(self._place(partitions[0]).topic)
        except EngineRefuses as error:
            return [error.detail]
        return []

    # --- what Kafka has not --------------------------------------------------------------------------

    def place_among(self, partitions: Sequence[PartitionRef], count: int) -> None:
        raise NotOffered(self.alias, "more partitions")

    def oldest_ids(self, partitions: Sequence[PartitionRef]) -> Mapping[int, OldestId]:
        return {}

    def partitions_with_ids(self, *, after: int, limit: int) -> Sequence[int]:
        return []

    def forget_ids(self, partition_id: int, *, recorded_before: datetime, up_to: int, max_ids: int = 5_000) -> int:
        return 0

    def merge(self, partition: PartitionRef, limits: MergeLimits) -> Merged:
        """Nothing to do: what comes together is one batch in Kafka from the first."""
        return Merged()

    def erase(self, partition: PartitionRef, offset: int, *, at: datetime) -> ErasedEvent | None:
        raise NotOffered(self.alias, "the erasure of one event")

    def hold(self, partitions: Sequence[PartitionRef]) -> None:
        """Nothing to hold: nothing can be erased."""

    # --- the process ---------------------------------------------------------------------------------

    def health(self) -> LogHealth:
        try:
            count = self.topics.count_brokers()
        except KafkaSilent as error:
            return LogHealth(is_writable=False, is_durable=False, reason=error.reason)
        needed = self._options.min_in_sync_replicas
        if count < needed:
            reason = f"{count} brokers of Kafka answer, and {needed} have to store an event"
            return LogHealth(is_writable=False, is_durable=False, reason=reason)
        reason = "" if self._options.is_durable else "min_in_sync_replicas is 1: one broker's disk holds the events"
        return LogHealth(is_writable=True, is_durable=self._options.is_durable, reason=reason)

    def close(self) -> None:
        """Wait for what was accepted, and close all connections."""
        self._producer.close()
        for pool in self._pools:
            pool.close()
        self.topics.close()

    def _place(self, partition: PartitionRef) -> Place:
        if partition in self._dropped:
            raise PartitionGone
        return place_of(partition)

    def _known(self, partitions: Sequence[PartitionRef]) -> Sequence[tuple[PartitionRef, Place]]:
        return [(each, place_of(each)) for each in partitions if each.epochs and each not in self._dropped]

    @contextmanager
    def _asking(self, partitions: Sequence[PartitionRef]) -> Iterator[None]:
        try:
            yield
        except KafkaSilent as error:
            if error.is_unknown and any(self._dropped.are_gone(each) for each in partitions):
                raise PartitionGone from error
            if error.is_of_one_topic:
                raise TopicUnavailable(self.alias, error.reason, retry_after=_RETRY_SECONDS) from error
            raise LogUnavailable(self.alias, error.reason, retry_after=_RETRY_SECONDS) from error


def _found_at(place: Place, stored: Mapping[int, Stored]) -> Mapping[int, Found]:
    return {
        index: Found(each.offset + place.base, moment_of_millisecond(each.milliseconds))
        for index, each in stored.items()
    }
