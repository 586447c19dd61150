"""Copies of events in a topic of their own, for clients of Kafka: sent by one at a time, and looked for by the next.

Neither a transaction nor a report makes it sure that a record is there once. What makes it sure is that the topic says
which events it has, and that nobody sends anything while somebody looks (`streams/services/mirroring`).
"""

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import KafkaException, Message, Producer, TopicPartition

from streams.cloudevents.records import LOG_HEADER, OFFSET_HEADER, EventRecord
from streams.errors import EngineRefuses, LogUnavailable
from streams.log.copying import Lane, LaneEnd, SentSpan
from streams.log.kafka.client_settings import COPY_CONSUMER, COPY_TIMEOUT_MS
from streams.log.kafka.codes import UNKNOWN
from streams.log.kafka.consumers import ConsumerPool, Standing
from streams.log.kafka.copies_sent import SentCopies
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.fetching import PositionPassed, RetentionCameBy, fetch_step
from streams.log.kafka.handles import keep, let_go
from streams.log.kafka.looking import Ends, Looker
from streams.log.kafka.messages import native_offset
from streams.log.kafka.opening import Opener
from streams.log.kafka.places import Place

logger = logging.getLogger(__name__)

# Sooner than librdkafka gives up: what waits is dropped as a whole then, and not record by record.
_PATIENCE_SECONDS: Final = COPY_TIMEOUT_MS / 1_000 * 5 / 8
_TOPIC_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05
_POLL_AFTER: Final = 200
_DROP_SECONDS: Final = 1.0
_STEP_RECORDS: Final = 1_000
# Where nothing is known of a partition, so many of its last records are looked at.
_LAST_RECORDS: Final = 1_000
# What a process that is gone has sent is with the brokers by then. A broker that hung works through it first.
_SETTLE_SECONDS: Final = 1.0
_PROMPT_SECONDS: Final = 0.5
_PAUSE_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 1.0


class KafkaCopier:
    """`TopicCopier` on Kafka."""

    def __init__(self, alias: str, topic: str, group: str, opener: Opener) -> None:
        self._alias = alias
        self._topic = topic
        self._opener = opener
        # One: it tells the ends, reads the last records, and has the group's position.
        self._consumers = ConsumerPool({**COPY_CONSUMER, "group.id": group}, opener.copy_consumer, size=1)
        self._looker = Looker(self._consumers)
        self._producer: Producer | None = None

    # --- looking -------------------------------------------------------------------------------------

    def check_topic(self, partitions: int) -> None:
        with self._asking():
            found = self._count_partitions()
        if not found:
            raise EngineRefuses(
                f"There is no topic {self._topic} any more. Make one with {partitions} partitions and what it had, or "
                "delete the mirror and make another one."
            )
        if found != partitions:
            raise EngineRefuses(
                f"The topic {self._topic} has {found} partitions, and the stream {partitions}. Give the topic "
                f"{partitions} (kafka-topics.sh --alter), and the mirror goes on by itself; or delete it and make "
                "another one."
            )

    def _count_partitions(self) -> int:
        with self._consumers.lend() as consumer:
            try:
                found = consumer.handle.list_topics(self._topic, timeout=_TOPIC_SECONDS).topics[self._topic]
            except KafkaException as error:
                raise KafkaSilent(f"Kafka does not answer ({error.args[0].name()})") from error
        if found.error is None:
            return len(found.partitions)
        if found.error.code() in UNKNOWN:
            return 0
        raise KafkaSilent(f"Kafka does not describe the topic {self._topic} ({found.error.name()})")

    def look(self, lanes: Sequence[Lane], *, is_settled: bool) -> Mapping[int, LaneEnd]:
        places = [Place(self._topic, lane.number) for lane in lanes]
        with self._asking():
            if not is_settled:
                self._wait_until_settled(places)
            ends = self._looker.ends(places)
            return {lane.number: self._look_at(lane, end) for lane, end in zip(lanes, ends, strict=True)}

    def _wait_until_settled(self, places: Sequence[Place]) -> None:
        """Return when the brokers have answered promptly for a while."""
        prompt_since = time.monotonic()
        while True:
            asked_at = time.monotonic()
            self._looker.ends(places)
            now = time.monotonic()
            if now - asked_at > _PROMPT_SECONDS:
                prompt_since = now
            elif now - prompt_since >= _SETTLE_SECONDS:
                return
            time.sleep(_PAUSE_SECONDS)

    def _look_at(self, lane: Lane, ends: Ends) -> LaneEnd:
        if lane.end is None:
            start = max(ends.low, ends.high - _LAST_RECORDS)
            return LaneEnd(ends.high, tuple(self._offsets(lane, start, ends.high))[-1:])
        if ends.high < lane.end:
            raise EngineRefuses(
                f"The topic {self._topic} ends at {ends.high} in partition {lane.number}, and had copies up to "
                f"{lane.end}: it was lost or made anew. Delete the mirror and make another one, which begins where "
                "you say."
            )
        if ends.low > lane.end:
            logger.warning(
                "retention took records from the end of partition %d of the topic %s before they were looked at",
                lane.number,
                self._topic,
            )
        return LaneEnd(ends.high, tuple(self._offsets(lane, max(ends.low, lane.end), ends.high)))

    def _offsets(self, lane: Lane, start: int, end: int) -> Iterator[int]:
        """Yield the offsets of the events whose copies are in a stretch of the topic, in its order."""
        own = b"%d" % lane.partition_id
        position, place = start, Place(self._topic, lane.number)
        while position < end:
            standing = Standing(place, position)
            with self._consumers.lend(standing) as consumer:
                try:
                    records = fetch_step(consumer, standing, end=end, max_records=_STEP_RECORDS)
                except PositionPassed:
                    # Marks of others' transactions, or what was compacted away.
                    return
                except RetentionCameBy as error:
                    raise KafkaSilent("Kafka's retention took records while they were read") from error
            for record in records:
                position = native_offset(record) + 1
                if position <= end and (offset := _offset_in(record, own)) is not None:
                    yield offset

    # --- sending -------------------------------------------------------------------------------------

    def send(self, copies: Mapping[int, Sequence[EventRecord]]) -> Mapping[int, SentSpan]:
        if self._producer is None:
            try:
                self._producer = keep(self._opener.copy_producer())
            except KafkaException as error:
                raise LogUnavailable(self._alias, str(error.args[0]), retry_after=_RETRY_SECONDS) from error
        deadline = time.monotonic() + _PATIENCE_SECONDS
        sent = SentCopies(self._alias)
        try:
            for number, events in copies.items():
                self._queue(self._producer, number, events, sent)
            while not sent.is_complete and time.monotonic() < deadline:
                self._producer.poll(_POLL_SECONDS)
        except KafkaException as error:
            # The session is broken for good.
            logger.info("copies into %s: %s", self._topic, error)
        try:
            return sent.spans()
        except BaseException:
            self._drop()
            raise

    def _queue(self, producer: Producer, number: int, events: Sequence[EventRecord], sent: SentCopies) -> None:
        lane = sent.begin(number)
        for count, event in enumerate(events, 1):
            try:
                producer.produce(
                    self._topic,
                    event.value,
                    event.key,
                    partition=number,
                    on_delivery=lane.reporter(event.offset),
                    headers=event.headers,
                )
            except BufferError:
                lane.give_up()
                return
            except KafkaException as error:
                # What follows must not be stored without it.
                lane.refuse(event.offset, error.args[0])
                return
            lane.queued += 1
            if count % _POLL_AFTER == 0:
                producer.poll(0)

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        # What waits for a broker goes at once and together, before anything of it times out alone.
        producer.purge(in_queue=True, in_flight=True)
        # One whose session is broken for good says so here as well.
        with contextlib.suppress(KafkaException):
            producer.flush(_DROP_SECONDS)
        let_go(producer)

    # --- being seen ----------------------------------------------------------------------------------

    def note_ends(self, ends: Mapping[int, int]) -> None:
        # Not by an AdminClient: `alter_consumer_group_offsets` ends the whole process when the group's coordinator goes
        # away meanwhile (an assertion of librdkafka 2.16).
        positions = [TopicPartition(self._topic, number, end) for number, end in ends.items()]
        try:
            with self._consumers.lend() as consumer:
                consumer.handle.commit(offsets=positions, asynchronous=True)
        except (KafkaException, KafkaSilent) as error:
            logger.info("the position in %s is not shown: %s", self._topic, error)

    def close(self) -> None:
        self._drop()
        self._consumers.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except KafkaSilent as error:
            raise LogUnavailable(self._alias, error.reason, retry_after=_RETRY_SECONDS) from error


def _offset_in(record: Message, own: bytes) -> int | None:
    """Return which event a record is the copy of; None: of none of this log's."""
    headers: Any = dict(record.headers() or ())
    if headers.get(LOG_HEADER) != own:
        return None
    with contextlib.suppress(ValueError, TypeError):
        return int(headers[OFFSET_HEADER])
    return None
