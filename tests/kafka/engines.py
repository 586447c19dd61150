"""Engines on a test's cluster. Apart from the fixtures: this imports confluent-kafka."""

import itertools
from dataclasses import replace
from typing import Any

from streams.log.kafka.configuration import KafkaOptions
from streams.log.kafka.engine import KafkaLog
from streams.log.kafka.places import place_of
from streams.log.protocol import PartitionRef, TopicSpec
from tests.kafka.cluster import KafkaCluster

_ids = itertools.count(1)


def options_of(cluster: KafkaCluster, prefix: str, **own: Any) -> KafkaOptions:
    """Options with as many replicas as the cluster has nodes for."""
    has_three = len(cluster.nodes) >= 3
    usual = KafkaOptions(
        cluster.addresses,
        topic_prefix=prefix,
        replication_factor=3 if has_three else 1,
        min_in_sync_replicas=2 if has_three else 1,
    )
    return replace(usual, **own)


def engine_settings(cluster: KafkaCluster, prefix: str) -> dict[str, Any]:
    """What `EVENTFLOW_ENGINES` says of such an engine."""
    options = options_of(cluster, prefix)
    names = ("bootstrap_servers", "topic_prefix", "replication_factor", "min_in_sync_replicas")
    return {"ENGINE": "streams.log.kafka", "OPTIONS": {name: getattr(options, name) for name in names}}


def make_partitions(log: KafkaLog, count: int = 1, spec: TopicSpec | None = None) -> list[PartitionRef]:
    """A new stream's partitions, ready for appends; `spec` is for whoever wants more of it than that."""
    first = next(_ids)
    partitions = [PartitionRef(first * 1_000 + number, f"stream-{first}", number) for number in range(count)]
    epochs = log.ensure(partitions, (spec or TopicSpec())._replace(allow_weak=True))
    return [each._replace(epochs=(epochs[each.id],)) for each in partitions]


def leader_of(log: KafkaLog, partition: PartitionRef) -> int:
    """Return the node that leads a partition."""
    described = log.topics._describe(place_of(partition).topic).result()
    [leader] = [each.leader.id for each in described.partitions if each.id == partition.number]
    return int(leader)


def count_partitions(log: KafkaLog, topic: str) -> int:
    """Return how many partitions a topic has; 0: there is none."""
    sight = log.topics.look_at([topic]).get(topic)
    return 0 if sight is None else sight.partitions
