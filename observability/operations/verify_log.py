"""Reading a whole stream to see that it is what the log promises."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime

from consumers.models import ConsumerGroup
from observability.conf import TRANSFER_BYTES, TRANSFER_EVENTS
from streams.conf import MAX_BATCH_EVENTS
from streams.errors import PartitionGone
from streams.log import get_log
from streams.log.protocol import LogDamaged, PartitionRef, ReadResult
from streams.models import Partition
from streams.stored_event import NotAnEvent, decode_event, record_size


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be, at or after an offset."""

    partition: PartitionRef
    offset: int
    problem: str


def verify_partition(partition: PartitionRef, *, advance: Callable[[int], object]) -> Iterator[Finding]:
    """Yield what is wrong with a partition; nothing, if all is well.

    Every kept event is read and decoded: offsets run on without a hole from the earliest to the head, times do not
    go back, and, where nothing was ever deleted, the counted bytes are those of the events. What retention takes
    meanwhile, or who deletes the stream, is no finding.

    Args:
        partition: which one.
        advance: told each time how many offsets further it came.
    """
    counters = Partition.objects.filter(pk=partition.id).first()
    if counters is None:
        return
    position, head = counters.earliest_offset - 1, counters.head_offset
    size, is_whole = 0, True
    newest: datetime | None = None
    while position < head:
        try:
            found = get_log().read(partition, after=position, max_events=TRANSFER_EVENTS, max_bytes=TRANSFER_BYTES)
        except LogDamaged as error:
            yield Finding(partition, position + 1, f"unreadable: {error}")
            beyond = _next_readable(partition, position, head)
            advance(beyond - position)
            position, is_whole = beyond, False
            continue
        except PartitionGone:
            return
        # Retention came by.
        is_whole = is_whole and found.bounds.earliest_offset <= position + 1
        if found.gap is not None and found.gap.last_offset >= found.bounds.earliest_offset:
            yield Finding(partition, found.gap.first_offset, f"missing up to {found.gap.last_offset}")
        newest = yield from _check(partition, found, position, newest)
        if not found.events and not (_is_sparse(partition) and found.next_offset > position):
            if found.bounds.earliest_offset <= head:
                yield Finding(partition, position + 1, f"nothing can be read up to the head, {head}")
            return
        size += sum(map(record_size, found.events))
        advance(found.next_offset - position)
        position = found.next_offset
    if not is_whole or position != head or partition.epochs:
        # Of what lies, or lay, in another engine the counters are as last seen, and sizes are of our own appends.
        return
    if counters.earliest_offset == 1 and size != counters.appended_bytes:
        yield Finding(partition, head, f"the events have {size} bytes, counted were {counters.appended_bytes}")
    if newest is not None and newest != counters.last_recorded_at:
        yield Finding(partition, head, f"the newest event is of {newest}, noted was {counters.last_recorded_at}")


def find_groups_without_place(partition: PartitionRef) -> list[str]:
    """Return the groups of the partition's stream that would never read it; none, if all is well."""
    groups = ConsumerGroup.objects.filter(stream__partitions=partition.id).exclude(offsets__partition=partition.id)
    return list(groups.order_by("name").values_list("name", flat=True))


def _check(
    partition: PartitionRef, found: ReadResult, position: int, newest: datetime | None
) -> Generator[Finding, None, datetime | None]:
    """Yield what is wrong with some events; return when the last of them was recorded."""
    # Others write it: there may be holes, and their clocks say what the time is.
    is_sparse = _is_sparse(partition)
    expected = position + 1 if found.gap is None else found.gap.last_offset + 1
    for raw, offset in zip(found.events, found.offsets, strict=True):
        try:
            event = decode_event(raw)
        except NotAnEvent as error:
            yield Finding(partition, offset, f"not an event: {error}")
            expected = offset + 1
            continue
        if offset != event.offset or (offset != expected and not is_sparse):
            yield Finding(partition, expected, f"the next event has offset {event.offset}")
        if event.partition != partition.number:
            yield Finding(partition, offset, f"says that it is in partition {event.partition}")
        if newest is not None and event.recorded_at < newest and not is_sparse:
            yield Finding(partition, offset, f"recorded at {event.recorded_at}, before the one in front of it")
        newest, expected = event.recorded_at, offset + 1
    return newest


def _is_sparse(partition: PartitionRef) -> bool:
    return any(epoch.is_external for epoch in partition.epochs)


def _next_readable(partition: PartitionRef, position: int, head: int) -> int:
    """Return the offset after which reading works again: the next batch's beginning, or the head."""
    for after in range(position + 1, min(position + MAX_BATCH_EVENTS, head) + 1):
        try:
            get_log().read(partition, after=after, max_events=1, max_bytes=1)
        except LogDamaged:
            continue
        return after
    return head
