"""Reading a topic that others write: with holes in its offsets, and records that are events of no kind in particular.

Transactions leave marks where records could be, and a topic that is compacted loses records in its middle. A reader is
told how far it came (`next_offset`) and passes holes by; nothing of them is a gap, which says that something was lost.
Nothing is cached: what is between two records nobody can tell from what was not read.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message

from streams.foreign_record import ForeignRecord, record_of
from streams.log.kafka.codes import END_OF_PARTITION, OUT_OF_RANGE, may_pass
from streams.log.kafka.consumers import ConsumerPool, LentConsumer, Standing
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.events import offset_of
from streams.log.kafka.fetching import RetentionCameBy
from streams.log.kafka.looking import Ends, Looker
from streams.log.kafka.messages import milliseconds_of, native_offset
from streams.log.kafka.places import Place
from streams.log.protocol import Bounds, Gap, PartitionRef, ReadResult
from streams.stored_event import place_records_in_time
from streams.times import format_counted

_PATIENCE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05
# Of the years 1 to 9999; what clients say the time is may be anything.
_LAST_MILLISECOND: Final = 253_402_300_799_999


class Step(NamedTuple):
    """Records in their order, and whether nothing more comes before the end that was asked for."""

    records: Sequence[Message]
    is_last: bool


def fetch_sparse_step(consumer: LentConsumer, standing: Standing, *, end: int, max_records: int) -> Step:
    """Return records from a position on, below Kafka's offset `end` > position; none if there are only holes.

    Raises:
        RetentionCameBy
        KafkaSilent: nothing came in time.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        consumer.go_to(standing)
        while time.monotonic() < deadline:
            found = consumer.handle.consume(max_records, 0)
            if not found and (one := consumer.handle.poll(_POLL_SECONDS)) is not None:
                found = [one]
            records: list[Message] = []
            is_last = has_more = False
            for message in found:
                error = message.error()
                if error is None:
                    is_last = is_last or native_offset(message) >= end - 1
                    if native_offset(message) < end:
                        records.append(message)
                    else:
                        has_more = True
                elif error.code() == END_OF_PARTITION:
                    is_last = is_last or native_offset(message) >= end
                elif error.code() in OUT_OF_RANGE:
                    raise RetentionCameBy
                else:
                    _check_that_it_passes(error)
            if records or is_last:
                if records and not has_more and (not is_last or native_offset(records[-1]) == end - 1):
                    # Behind it there is no hole. Else the end has been told, which is told once, or records were given
                    # that came after the end was asked for: whoever comes next is to get them, so it is assigned anew.
                    consumer.standing = Standing(standing.place, native_offset(records[-1]) + 1)
                return Step(records, is_last)
    except KafkaException as error:
        raise KafkaSilent.because(error.args[0], "Kafka gave no records") from error
    raise KafkaSilent("Kafka gave no records in time")


def _check_that_it_passes(error: KafkaError) -> None:
    if not may_pass(error):
        raise KafkaException(error)


class SparseReader:
    """Reads partitions of topics that others write; one for each process, shared by its threads."""

    def __init__(self, looker: Looker, *, readers: ConsumerPool, peekers: ConsumerPool) -> None:
        self._looker = looker
        self._readers = readers
        self._peekers = peekers

    def read(self, partition: PartitionRef, place: Place, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        """Return events as `Log.read` promises, with holes between their offsets."""
        after = max(0, after)
        while True:
            [ends] = self._looker.ends([place])
            start = max(after, ends.low + place.base - 1)
            try:
                events, offsets, reached = self._select(place, ends, start, max_events, max_bytes)
            except RetentionCameBy:
                continue
            bounds = Bounds(ends.low + place.base, ends.high - 1 + place.base, None)
            gap = Gap(after + 1, start) if start > after else None
            return ReadResult(events, offsets, reached, bounds, gap)

    def _select(
        self, place: Place, ends: Ends, start: int, max_events: int, max_bytes: int
    ) -> tuple[list[bytes], list[int], int]:
        events: list[bytes] = []
        offsets: list[int] = []
        position, size, head = start, 0, ends.high - 1 + place.base
        pool = self._peekers if max_events == 1 else self._readers
        while position < head and len(events) < max_events:
            standing = Standing(place, position + 1 - place.base)
            with pool.lend(standing) as consumer:
                step = fetch_sparse_step(consumer, standing, end=ends.high, max_records=max_events - len(events))
            for record in step.records:
                event = event_of(place, record)
                if events and size + len(event) > max_bytes:
                    return events, offsets, position
                size += len(event)
                position = offset_of(place, record)
                events.append(event)
                offsets.append(position)
            if step.is_last and len(events) < max_events:
                # What is left up to the end are holes.
                position = max(position, head)
        return events, offsets, position


def event_of(place: Place, record: Message) -> bytes:
    """Return somebody's record as an event."""
    offset = offset_of(place, record)
    headers: Any = record.headers() or ()
    line = record_of(
        ForeignRecord(
            record.value(), record.key(), list(headers), f"{place.topic[-90:]}-{place.number}-{native_offset(record)}"
        )
    )
    milliseconds = min(max(0, milliseconds_of(record)), _LAST_MILLISECOND)
    [event] = place_records_in_time(
        [line[1:]],
        partition=place.number,
        first_offset=offset,
        recorded_at=list(format_counted([milliseconds * 1_000])),
    )
    return event
