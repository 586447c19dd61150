"""Records from the brokers, a step at a time."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from streams.log.kafka.codes import END_OF_PARTITION, OUT_OF_RANGE, may_pass
from streams.log.kafka.consumers import ConsumerPool, LentConsumer, Standing
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.messages import native_offset

_PATIENCE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05


class RetentionCameBy(Exception):
    """What was asked for is not kept any more: look at the ends again."""


class PositionPassed(Exception):
    """Kafka went on without a record for an offset: it holds something that is not one, or compacted it away."""


def fetch_step(consumer: LentConsumer, standing: Standing, *, end: int, max_records: int) -> Sequence[Message]:
    """Return at least one record from a position on, below `end` > position: those that are here, or the next to come.

    Raises:
        RetentionCameBy, PositionPassed
        KafkaSilent: none came in time.
    """
    count = min(max_records, end - standing.position)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        consumer.go_to(standing)
        while time.monotonic() < deadline:
            # What is here already, then a first one: to wait for `count` would wait for them all.
            found = consumer.handle.consume(count, 0)
            if not found and (one := consumer.handle.poll(_POLL_SECONDS)) is not None:
                found = [one]
            records = [message for message in found if _is_record(message)]
            has_ended = any(_tells_the_end(message, end) for message in found)
            if records:
                if not has_ended:
                    consumer.standing = Standing(standing.place, native_offset(records[-1]) + 1)
                # Else there is a hole behind them. That the end was passed is told once: to whoever comes next it is
                # to be told again, so it is assigned anew.
                return records
            if has_ended:
                raise PositionPassed
    except KafkaException as error:
        raise KafkaSilent.because(error.args[0], "Kafka gave no records") from error
    raise KafkaSilent("Kafka gave no records in time")


def _is_record(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.code() in OUT_OF_RANGE:
        raise RetentionCameBy
    if error.code() != END_OF_PARTITION and not may_pass(error):
        raise KafkaException(error)
    return False


def _tells_the_end(message: Message, end: int) -> bool:
    error = message.error()
    return error is not None and error.code() == END_OF_PARTITION and native_offset(message) >= end


def _check_that_nothing_is_there(error: KafkaError) -> None:
    if error.code() not in OUT_OF_RANGE and error.code() != END_OF_PARTITION:
        raise KafkaException(error)


def fetch_first_of_each(pool: ConsumerPool, standings: Mapping[int, Standing]) -> Mapping[int, Message]:
    """Return the record at each position, all of different partitions, in one fetch from each broker.

    Of what retention took meanwhile there is none.

    Raises:
        KafkaSilent: they did not come in time.
    """
    wanted = {(each.place.topic, each.place.number): key for key, each in standings.items()}
    found: dict[int, Message] = {}
    missing: set[int] = set(standings)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with pool.lend() as consumer:
        try:
            consumer.handle.assign(
                [TopicPartition(each.place.topic, each.place.number, each.position) for each in standings.values()]
            )
            while missing:
                if time.monotonic() > deadline:
                    raise KafkaSilent("Kafka gave no records in time")
                message = consumer.handle.poll(_POLL_SECONDS)
                if message is None:
                    continue
                error = message.error()
                key = wanted.get((message.topic() or "", message.partition() or 0))
                if key is None or (error is not None and may_pass(error)):
                    continue
                if error is None:
                    found.setdefault(key, message)
                else:
                    _check_that_nothing_is_there(error)
                missing.discard(key)
        except KafkaException as error:
            raise KafkaSilent.because(error.args[0], "Kafka gave no records") from error
        finally:
            consumer.rest()
    return found
