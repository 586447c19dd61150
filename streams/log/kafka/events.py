"""Records as events: each with its place in front."""

from collections.abc import Sequence

from confluent_kafka import Message

from streams.log.cache import CachedBatch
from streams.log.kafka.messages import milliseconds_of, native_offset
from streams.log.kafka.places import Place
from streams.log.protocol import LogDamaged
from streams.stored_event import place_records_in_time
from streams.times import format_counted


def batch_of(place: Place, records: Sequence[Message]) -> CachedBatch:
    """Return records that follow each other as a batch of events; nothing is decoded.

    Raises:
        LogDamaged: an offset is missing among them, or one is no JSON object.
    """
    first, last = offset_of(place, records[0]), offset_of(place, records[-1])
    if last - first + 1 != len(records):
        raise LogDamaged(
            f"topic {place.topic}, partition {place.number}: offsets are missing between {first} and {last}; a topic "
            "that is compacted, or that transactions write to, cannot be a stream"
        )
    tails: list[bytes] = []
    for record in records:
        value = record.value()
        if value is None or value[:1] != b"{":
            raise LogDamaged(
                f"topic {place.topic}, partition {place.number}: offset {offset_of(place, record)} holds no event"
            )
        tails.append(value[1:])
    times = format_counted(milliseconds_of(record) * 1_000 for record in records)
    events = place_records_in_time(tails, partition=place.number, first_offset=first, recorded_at=times)
    return CachedBatch(last_offset=last, events=tuple(events))


def offset_of(place: Place, record: Message) -> int:
    """Return the offset that a record has for everybody but Kafka."""
    return native_offset(record) + place.base
