"""Where events may lie in a run: in the server's own PostgreSQL, and in Kafka clusters."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.instance import cpu_seconds_of
from tests.kafka.cluster import KafkaCluster


@dataclass(frozen=True, slots=True)
class Place:
    """One engine of the server.

    Attributes:
        name: as the tables call it.
        alias: as the server calls it; empty: its own PostgreSQL.
        options: of the engine.
        processes: of the cluster, where it is the run's own.
    """

    name: str
    alias: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    processes: Sequence[int] = ()

    def stream(self, what: str) -> str:
        """Return what the stream for such a load is called there."""
        return f"{what}-{self.alias or 'postgres'}"

    def settings(self, name: str, partitions: int) -> dict[str, object]:
        """Return the body that makes a stream there."""
        own = {"engine": self.alias, "allow_weak": True} if self.alias else {}
        return {"name": name, "partitions": partitions, **own}

    def cpu_seconds(self) -> float:
        """CPU time that the cluster has used so far; of another's: 0."""
        return sum(map(cpu_seconds_of, self.processes))


POSTGRES = Place("PostgreSQL")


@contextmanager
def kafka_places(node_counts: Sequence[int]) -> Iterator[list[Place]]:
    """Start a cluster of each size; all of them run until the end."""
    with tempfile.TemporaryDirectory(prefix="eventflow-bench-") as home:
        clusters: list[KafkaCluster] = []
        try:
            for count in node_counts:
                # It chooses ports that are free, so the one before has to have its own.
                clusters.append(KafkaCluster(Path(home) / f"kafka-{count}", count=count, is_for_speed=True))
                clusters[-1].start()
            yield [
                place_at(cluster.addresses, len(cluster.nodes), [cluster.process_id(node) for node in cluster.nodes])
                for cluster in clusters
            ]
        finally:
            for cluster in clusters:
                cluster.stop()


def place_at(addresses: str, nodes: int, processes: Sequence[int] = ()) -> Place:
    """Return the place that a cluster is; of three nodes two have to store an event."""
    has_three = nodes >= 3
    options = {
        "bootstrap_servers": addresses,
        "topic_prefix": "bench-",
        "replication_factor": 3 if has_three else 1,
        "min_in_sync_replicas": 2 if has_three else 1,
    }
    return Place(f"Kafka, {nodes} node{'s' if nodes > 1 else ''}", f"kafka-{nodes}", options, processes)


def engines_variable(places: Sequence[Place]) -> str:
    """Return what EVENTFLOW_ENGINES has to be for a server with these places."""
    engines = {each.alias: {"ENGINE": "streams.log.kafka", "OPTIONS": each.options} for each in places if each.alias}
    return json.dumps(engines)
