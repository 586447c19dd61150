"""Where a partition's records are, as the control plane says; Kafka is never asked for it."""

from typing import NamedTuple

from streams.errors import PartitionGone
from streams.log.protocol import PartitionRef


class Place(NamedTuple):
    """A partition of a topic.

    Attributes:
        base: what is added to an offset of Kafka's, which begin at 0; those of a stream that began here begin at 1.
        start: Kafka's offset before which nothing belongs to the partition.
        is_sparse: others write it, so there may be holes between its records.
        stop: Kafka's offset from which on nothing belongs to the partition; None: it goes on.
    """

    topic: str
    number: int
    base: int = 1
    start: int = 0
    stop: int | None = None
    is_sparse: bool = False


def place_of(partition: PartitionRef) -> Place:
    """Return where a partition is.

    Raises:
        PartitionGone: the control plane has no place for it.
    """
    if not partition.epochs:
        raise PartitionGone
    epoch = partition.epochs[-1]
    stop = None if epoch.last_offset is None else epoch.last_offset + 1 - epoch.base
    return Place(
        epoch.topic, partition.number, epoch.base, max(0, epoch.first_offset - epoch.base), stop, epoch.is_external
    )
