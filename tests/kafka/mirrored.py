"""What a plain client of Kafka finds in a mirror's topic."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tests.kafka.cluster import KafkaCluster

_SECONDS = 20.0


class FoundRecord(NamedTuple):
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]

    @property
    def event_offset(self) -> int:
        return int(self.headers["ef-offset"])


def read_topic(cluster: KafkaCluster, topic: str) -> dict[int, list[FoundRecord]]:
    """Return all that is in a topic now, by partition, in its order; as a client does that knows nothing of us."""
    consumer: Any = Consumer(
        {
            "bootstrap.servers": cluster.addresses,
            "group.id": "reader",
            "enable.auto.commit": False,
            "isolation.level": "read_uncommitted",
        }
    )
    try:
        numbers = list(consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions)
        ends = {n: consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=_SECONDS)[1] for n in numbers}
        found: dict[int, list[FoundRecord]] = {n: [] for n in numbers}
        consumer.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in numbers])
        deadline = time.monotonic() + _SECONDS
        while any(len(found[n]) < ends[n] for n in numbers):
            assert time.monotonic() < deadline, f"{ {n: (len(found[n]), ends[n]) for n in numbers} }"
            for message in consumer.consume(1_000, 0.2):
                assert message.error() is None, message.error()
                headers = message.headers() or []
                assert len(dict(headers)) == len(headers), "a header came twice"
                found[message.partition()].append(
                    FoundRecord(message.partition(), message.offset(), message.key(), message.value(), dict(headers))
                )
        return found
    finally:
        consumer.close()


def offsets_in(cluster: KafkaCluster, topic: str) -> dict[int, list[int]]:
    """Return the offsets of the events that are in a topic, by partition, in its order."""
    return {n: [each.event_offset for each in records] for n, records in read_topic(cluster, topic).items()}
