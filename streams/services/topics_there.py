"""Which of many partitions can be asked for, where one topic that is gone would keep all of them from an answer."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from streams.errors import TopicUnavailable
from streams.log import get_routed_log
from streams.log.protocol import PartitionRef

Returned = TypeVar("Returned")


def ask_of_those_there(
    alias: str, partitions: Sequence[PartitionRef], ask: Callable[[Sequence[PartitionRef]], Returned]
) -> Returned:
    """Ask one engine of all partitions; if a topic of some is not there, of all the others.

    Args:
        ask: of the partitions that it is given.

    Raises:
        LogUnavailable: the engine does not answer, or not of these either.
    """
    try:
        return ask(partitions)
    except TopicUnavailable:
        topics = {topic for each in partitions for topic in _topics_in(alias, each)}
        missing = topics - get_routed_log().look_at_topics(alias, sorted(topics)).keys()
        if not missing:
            raise
        return ask([each for each in partitions if missing.isdisjoint(_topics_in(alias, each))])


def _topics_in(alias: str, partition: PartitionRef) -> set[str]:
    return {epoch.topic for epoch in partition.epochs if epoch.engine == alias}
