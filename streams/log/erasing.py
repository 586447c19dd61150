"""Taking an event's payload out of a stored batch: the one way in which what a batch holds changes."""

import secrets
from datetime import datetime

from streams.errors import PartitionGone
from streams.log.batches import head_of, pack_again, times_of, unpack
from streams.log.protocol import ErasedEvent, LogDamaged, PartitionRef
from streams.log.statements import run
from streams.stored_event import erase_record, is_erased, place_records

# Zero: nothing was ever erased.
_MARKS = 2**62


def erase_in_batch(partition: PartitionRef, offset: int, *, at: datetime) -> ErasedEvent | None:
    """Do what `Log.erase` promises, in the transaction that is open.

    Appends, retention, other erasures and whoever copies an event wait from here to its end. Nothing is read through
    the cache: what this transaction sees, nobody else may.

    Raises:
        PartitionGone, LogDamaged
    """
    if not run("lock_for_erasure", partition_id=partition.id):
        raise PartitionGone
    # A statement of its own: one that waited for the lock would still see the batch as it was before.
    rows = run("batch_at", partition_id=partition.id, offset=offset)
    if not rows:
        return None
    last_offset, event_count, recorded_at, codec, stored = rows[0]
    index = offset - (last_offset - event_count + 1)
    if index < 0:
        return None
    records = unpack(codec, stored).split(b"\n")
    times = times_of(codec, stored, event_count=event_count, recorded_at=recorded_at)
    if len(records) != event_count:
        raise LogDamaged(f"{len(records)} records instead of {event_count}")
    is_new = not is_erased(records[index])
    if is_new:
        records[index] = erase_record(records[index], at=at, size=len(records[index]))
        packed = pack_again(records, head=head_of(codec, stored))
        run(
            "rewrite_batch",
            partition_id=partition.id,
            last_offset=last_offset,
            codec=packed.codec,
            records=packed.records,
            mark=1 + secrets.randbelow(_MARKS),
        )
    (event,) = place_records(
        [records[index][1:]],
        partition=partition.number,
        first_offset=offset,
        recorded_at=recorded_at if times is None else times.at(index),
    )
    return ErasedEvent(event, is_new)
