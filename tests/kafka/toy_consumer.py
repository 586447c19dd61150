"""A consumer of librdkafka's as far as reading needs one, of a partition in memory that a test writes and cuts."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.log.kafka.consumers import ConsumerPool

MOMENT = 1_700_000_000_000


@dataclass
class ToyMessage:
    """What a consumer gives: a record, or what it has to say of a place."""

    at: int
    text: bytes | None = None
    labels: Sequence[tuple[str, bytes]] = ()
    wrong: KafkaError | None = None
    milliseconds: int = MOMENT

    def offset(self) -> int:
        return self.at

    def error(self) -> KafkaError | None:
        return self.wrong

    def value(self) -> bytes | None:
        return self.text

    def key(self) -> None:
        return None

    def headers(self) -> Sequence[tuple[str, bytes]]:
        return self.labels

    def timestamp(self) -> tuple[int, int]:
        return (1, self.milliseconds)


@dataclass
class ToyPartition:
    """Records by Kafka's own offset; where there is none below the end, there is a hole.

    Attributes:
        wrong: what is said instead of whatever is asked for.
    """

    records: dict[int, ToyMessage] = field(default_factory=dict)
    low: int = 0
    high: int = 0
    wrong: KafkaError | None = None

    def write(self, *values: bytes, headers: Sequence[tuple[str, bytes]] = (), milliseconds: int = MOMENT) -> None:
        for value in values:
            self.records[self.high] = ToyMessage(self.high, value, headers, milliseconds=milliseconds)
            self.high += 1

    def leave_a_hole(self) -> None:
        self.high += 1

    def cut(self, low: int) -> None:
        """Do what retention does."""
        self.low = low


class ToyConsumer:
    """Fetches as far ahead as there is something whenever it is asked, and tells each end once."""

    def __init__(self, partition: ToyPartition) -> None:
        self._partition = partition
        self._queue: deque[ToyMessage] = deque()
        self._next = -1
        self._told = -1

    def assign(self, places: Sequence[TopicPartition]) -> None:
        self._queue.clear()
        [place] = places
        self._next, self._told = place.offset, -1

    def unassign(self) -> None:
        self._queue.clear()
        self._next = -1

    def _fetch(self) -> None:
        partition = self._partition
        if self._next < 0:
            return
        if partition.wrong is not None:
            self._queue.append(ToyMessage(self._next, wrong=partition.wrong))
            return
        if self._next < partition.low:
            self._queue.append(ToyMessage(self._next, wrong=KafkaError(KafkaError._AUTO_OFFSET_RESET)))
            self._next = -1
            return
        self._queue.extend(
            partition.records[offset] for offset in range(self._next, partition.high) if offset in partition.records
        )
        self._next = max(self._next, partition.high)
        if self._next != self._told:
            self._queue.append(ToyMessage(self._next, wrong=KafkaError(KafkaError._PARTITION_EOF)))
            self._told = self._next

    def consume(self, count: int, timeout: float) -> list[ToyMessage]:
        self._fetch()
        return [self._queue.popleft() for _ in range(min(count, len(self._queue)))]

    def poll(self, timeout: float) -> ToyMessage | None:
        return next(iter(self.consume(1, timeout)), None)

    def offsets_for_times(self, places: Sequence[TopicPartition], timeout: float) -> list[TopicPartition]:
        if self._partition.wrong is not None:
            raise KafkaException(self._partition.wrong)
        return [TopicPartition(each.topic, each.partition, self._offset_for(each.offset)) for each in places]

    def _offset_for(self, at: int) -> int:
        if at == -1:
            return self._partition.high
        kept = range(self._partition.low, self._partition.high)
        if at == -2:
            return kept.start
        records = self._partition.records
        return next((each for each in kept if each in records and records[each].milliseconds >= at), -1)


def toy_pool(partition: ToyPartition) -> ConsumerPool:
    """Return a pool of one consumer."""

    def open_handle(_settings: Any) -> Any:
        return ToyConsumer(partition)

    return ConsumerPool({}, open_handle, size=1)
