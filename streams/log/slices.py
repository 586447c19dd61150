"""Which stretch of a partition's offsets lies where: a slice that is read never crosses from one into the next."""

from collections.abc import Iterable, Iterator
from typing import Any

from streams.conf import MAX_OFFSET, POSTGRES
from streams.errors import StreamQuarantined, StreamReadOnly
from streams.log.protocol import POSTGRES_EPOCH, Bounds, Epoch, PartitionRef, SealedBounds


def epochs_of(partition: PartitionRef) -> tuple[Epoch, ...]:
    return partition.epochs or (POSTGRES_EPOCH,)


def place_in(partition: PartitionRef, epoch: Epoch) -> PartitionRef:
    """Return the partition as the engine of one epoch is asked for it."""
    return partition if len(partition.epochs) <= 1 else partition._replace(epochs=(epoch,))


def open_place(partition: PartitionRef) -> PartitionRef:
    """Return the partition as the engine is asked for it that it is appended to."""
    return partition if len(partition.epochs) <= 1 else partition._replace(epochs=partition.epochs[-1:])


def places_from(partition: PartitionRef, offset: int) -> Iterator[tuple[Epoch, PartitionRef]]:
    """Yield the stretches, and the partition as their engines are asked for it, from the one on that has an offset."""
    for epoch in epochs_of(partition):
        if epoch.last_offset is None or epoch.last_offset >= offset:
            yield epoch, place_in(partition, epoch)


def engine_at(partition: PartitionRef, offset: int) -> str:
    """Return the alias of the engine in which an offset of a partition lies, or will lie."""
    return next(epoch.engine for epoch, _ in places_from(partition, offset))


def refuse_quarantined(partitions: Iterable[PartitionRef]) -> None:
    """Ask nobody for what is not what it was.

    Raises:
        StreamQuarantined
    """
    for partition in partitions:
        for epoch in partition.epochs:
            if epoch.quarantine:
                raise StreamQuarantined(epoch.engine, partition.stream, epoch.quarantine)


def refuse_read_only(partitions: Iterable[PartitionRef]) -> None:
    """Append nothing to a topic that was adopted to be read.

    Raises:
        StreamReadOnly
    """
    for partition in partitions:
        if partition.epochs and partition.epochs[-1].is_read_only:
            raise StreamReadOnly(
                f"{partition.stream} shows the topic {partition.epochs[-1].topic} of {partition.engine}, which was "
                "adopted read_only. Nothing was stored."
            )


def is_here(place: PartitionRef) -> bool:
    """Whether PostgreSQL is asked for one stretch of a partition that has others elsewhere."""
    return len(place.epochs) == 1 and place.epochs[0].engine == POSTGRES


def first_offset_in(place: PartitionRef) -> int:
    """Return the first offset that PostgreSQL may have of what it is asked for."""
    return place.epochs[0].first_offset if is_here(place) else 1


def last_offset_in(place: PartitionRef) -> int:
    """Return the last offset that PostgreSQL may have of what it is asked for."""
    last = place.epochs[0].last_offset if is_here(place) else None
    return MAX_OFFSET if last is None else last


def bounds_of_row(*row: Any) -> Bounds:
    """Return the ends that a partition's row tells of."""
    *ends, is_sealed = row
    return SealedBounds(*ends) if is_sealed else Bounds(*ends)


def clamped(bounds: Bounds, place: PartitionRef) -> Bounds:
    """Return the ends of one stretch, from those of all that a partition's row tells of."""
    if not is_here(place):
        return bounds
    head = min(bounds.head_offset, last_offset_in(place))
    earliest = max(bounds.earliest_offset, first_offset_in(place))
    return bounds._replace(earliest_offset=min(earliest, head + 1), head_offset=head)
