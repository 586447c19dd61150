"""Where partitions lie: the epochs of those that are not wholly in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from streams.log.engines import get_engines
from streams.log.protocol import Epoch, PartitionRef
from streams.log.statements import run


def epochs_by_partition(rows: Iterable[Sequence[Any]]) -> dict[int, tuple[Epoch, ...]]:
    """Return epochs by the id of their partition, from rows that begin with it, in the order of `epochs.sql`."""
    return {
        partition_id: tuple(Epoch(*row[1:]) for row in own) for partition_id, own in groupby(rows, key=itemgetter(0))
    }


def find_epochs(partition_ids: Iterable[int]) -> Mapping[int, tuple[Epoch, ...]]:
    """Return the epochs of those partitions that have any, by id."""
    return epochs_by_partition(run("epochs", partition_ids=list(partition_ids)))


def locate(partitions: Sequence[PartitionRef]) -> list[PartitionRef]:
    """Return partitions, made from their rows alone, with their epochs; with one engine nobody is asked."""
    if not partitions or not get_engines().aliases:
        return list(partitions)
    epochs = find_epochs(each.id for each in partitions)
    return [each._replace(epochs=epochs.get(each.id, ())) for each in partitions]
