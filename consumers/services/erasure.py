"""Erasing the payload of one event for good: in the log, and wherever it was copied to."""

from datetime import datetime

from django.db import transaction

from accounts.audit_actions import AuditAction
from accounts.services.audit import record
from consumers.models import DeadLetter
from consumers.statements import run
from streams.log import get_log
from streams.lookup import StreamInfo, partition_of
from streams.queries import get_event
from streams.stored_event import decode_event, erase_record, is_erased, record_size


def erase_event(*, stream: StreamInfo, partition: int, offset: int, reason: str, now: datetime) -> bytes:
    """Erase an event's payload and headers, in one transaction; return the event as it is read from now on.

    Its place, id, type, key and times stay, so do its neighbours. An event that retention took is erased where dead
    letters still have it. One that was erased before is answered as it is, and nothing is changed.

    Raises:
        PartitionNotFound, EventNotFound
        EventExpired: retention took it, and no dead letter has a copy.
        PartitionGone: the stream was deleted meanwhile.
    """
    place = partition_of(stream, partition)
    with transaction.atomic():
        # In the order of everybody who works with dead letters (docs/architecture.md, "Who waits for whom").
        run("lock_offsets_of_partition", partition_id=place.id)
        in_log = get_log().erase(place, offset, at=now)
        event = in_log.event if in_log is not None else _erase_copy(place.id, offset, now)
        if event is None:
            # It says why there is none: nothing can come between, for the partition is locked.
            return get_event(stream, partition, offset)
        ((copies,),) = run("erase_copies", partition_id=place.id, offset=offset, event=event)
        if copies or (in_log is not None and in_log.is_new):
            record(
                AuditAction.EVENT_ERASED,
                stream=(stream.id, stream.name),
                target=f"event {partition}/{offset}",
                after={
                    "partition": partition,
                    "offset": offset,
                    "event_id": decode_event(event).id,
                    "copies": copies,
                    "reason": reason,
                },
            )
    return event


def _erase_copy(partition_id: int, offset: int, now: datetime) -> bytes | None:
    """The erased form of an event that only dead letters still have; None if none of them does."""
    letters = DeadLetter.objects.filter(partition_id=partition_id, offset=offset).order_by("pk")
    copies = [bytes(copy) for copy in letters.values_list("event", flat=True) if copy is not None]
    erased = next(filter(is_erased, copies), None)
    if erased is not None or not copies:
        return erased
    return erase_record(copies[0], at=now, size=record_size(copies[0]))
