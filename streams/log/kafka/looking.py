"""Questions for offsets: the ends of partitions, and what was recorded since a moment.

A consumer asks them and not an AdminClient, whose `list_offsets` stalls for three seconds now and then.
"""

import contextlib
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from confluent_kafka import KafkaException, TopicPartition

from streams.log.kafka.codes import UNKNOWN, may_pass
from streams.log.kafka.consumers import ConsumerPool, LentConsumer
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.places import Place

# A question to a broker that has just died takes its whole time-out: short ones, and many.
_CALL_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 5.0
# A new topic is known everywhere sooner than that; one that was deleted is not waited for.
_UNKNOWN_PATIENCE_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.02
# Of more topics all are asked for, in one question.
_ASKED_BY_NAME: Final = 8
# Instead of a moment: where the kept records begin, and where they end.
_BEGINNING: Final = -2
_END: Final = -1


class Ends(NamedTuple):
    """Kafka's own offsets: of the first kept record, and of the next one to come."""

    low: int
    high: int


class Looker:
    """Asks the brokers; every answer is as of now. Not for records: those would be in the way."""

    def __init__(self, pool: ConsumerPool) -> None:
        self._pool = pool

    def ends(self, places: Sequence[Place]) -> Sequence[Ends]:
        """Return the ends of partitions, in their order, in two questions for all.

        Raises:
            KafkaSilent: the brokers did not say.
        """
        if not places:
            return []
        with self._pool.lend() as consumer:
            # The end comes last: what was appended before this call is below it.
            lows = _ask(consumer, places, _BEGINNING)
            highs = _ask(consumer, places, _END)
        return [_ends(place, low, high) for place, low, high in zip(places, lows, highs, strict=True)]

    def heads_and_epochs(self, places: Sequence[Place]) -> Sequence[TopicPartition]:
        """Return the next offset to come of partitions, with the epoch of who leads them, in their order.

        Raises:
            KafkaSilent: the brokers did not say.
        """
        with self._pool.lend() as consumer:
            return _answers(consumer, places, _END)

    def first_since(self, place: Place, milliseconds: int) -> int | None:
        """Return Kafka's offset of the first kept record of that time or later; None: there is none.

        Raises:
            KafkaSilent: the brokers did not say.
        """
        with self._pool.lend() as consumer:
            [found] = _ask(consumer, [place], milliseconds)
        return found if found >= 0 else None


def _ends(place: Place, low: int, high: int) -> Ends:
    low = max(low, place.start)
    if place.stop is not None:
        low, high = min(low, place.stop), min(high, place.stop)
    return Ends(low, max(low, high))


def _ask(consumer: LentConsumer, places: Sequence[Place], at: int) -> Sequence[int]:
    return [each.offset for each in _answers(consumer, places, at)]


def _answers(consumer: LentConsumer, places: Sequence[Place], at: int) -> Sequence[TopicPartition]:
    asked = [TopicPartition(place.topic, place.number, at) for place in places]
    began = time.monotonic()
    while True:
        try:
            answers = consumer.handle.offsets_for_times(asked, timeout=_CALL_SECONDS)
            wrong = next((each.error for each in answers if each.error is not None), None)
        except KafkaException as error:
            wrong = error.args[0]
        if wrong is None:
            by_place = {(each.topic, each.partition): each for each in answers}
            return [by_place[place.topic, place.number] for place in places]
        patience = _UNKNOWN_PATIENCE_SECONDS if wrong.code() in UNKNOWN else _PATIENCE_SECONDS
        if not may_pass(wrong) or time.monotonic() - began > patience:
            raise KafkaSilent.because(wrong, "Kafka does not say where its partitions end")
        _learn_who_leads(consumer, {place.topic for place in places})
        time.sleep(_PAUSE_SECONDS)


def _learn_who_leads(consumer: LentConsumer, topics: set[str]) -> None:
    """Ask who leads the partitions, by the names of their topics.

    By itself librdkafka would go on for seconds to believe that a new topic is unknown, and for a quarter of an hour
    that a broker leads which has died: it keeps what it knows fresh only of topics that are assigned.
    """
    questions = [{"topic": topic} for topic in topics] if len(topics) <= _ASKED_BY_NAME else [{}]
    for question in questions:
        with contextlib.suppress(KafkaException):
            consumer.handle.list_topics(**question, timeout=_CALL_SECONDS)
