"""Partitions that were dropped. Kafka deletes topics, and nothing smaller: one goes with the last of its partitions."""

import threading
from collections.abc import Callable, Iterable

from streams.log.kafka.places import Place
from streams.log.protocol import PartitionRef


class Dropped:
    """What this process has dropped, and what the control plane says is gone. Safe from any thread.

    Args:
        is_known: ask the control plane whether there is such a partition; nobody else can tell, as Kafka does not know
            a new topic either.
    """

    def __init__(self, is_known: Callable[[PartitionRef], bool] | None = None) -> None:
        self._lock = threading.Lock()
        self._is_known = is_known
        # The names of topics are never used again. Nor are partitions' ids, but one may have several topics, one after
        # the other.
        self._topics: set[str] = set()
        self._numbers: dict[str, set[int]] = {}

    def __contains__(self, partition: PartitionRef) -> bool:
        topic = partition.epochs[-1].topic if partition.epochs else ""
        return topic in self._topics or partition.number in self._numbers.get(topic, ())

    def are_gone(self, partition: PartitionRef) -> bool:
        """Return whether a partition is gone, of which Kafka knows nothing."""
        return partition in self or (self._is_known is not None and not self._is_known(partition))

    def add(self, places: Iterable[Place]) -> None:
        with self._lock:
            for place in places:
                self._numbers.setdefault(place.topic, set()).add(place.number)

    def numbers_of(self, topic: str) -> set[int]:
        """Return the partitions of a topic that are gone."""
        return set(self._numbers.get(topic, ()))

    def forget(self, topic: str) -> None:
        """Forget the partitions of a topic that was deleted; the topic stays known as gone."""
        with self._lock:
            self._topics.add(topic)
            self._numbers.pop(topic, None)
