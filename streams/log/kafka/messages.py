"""What a message of librdkafka's has once it was stored or received."""

from typing import cast

from confluent_kafka import Message


def native_offset(message: Message) -> int:
    """Return its place as Kafka counts, from 0."""
    return cast("int", message.offset())


def milliseconds_of(message: Message) -> int:
    """Return when Kafka recorded it."""
    return message.timestamp()[1]
