"""The copy of an event that a consumer sends with its report, for the case that retention has taken the event."""

from accounts.audit import AuditEntry
from accounts.audit_actions import AuditAction
from consumers.errors import InvalidCopy
from consumers.models import DeadLetter
from streams.envelope import Envelope, make_records
from streams.errors import EventFault, InvalidEvents
from streams.lookup import StreamInfo
from streams.stored_event import NotAnEvent, decode_event, place_records


def read_reported_copy(copy: bytes, *, partition: int, offset: int) -> bytes:
    """Return what a consumer sent as its copy of an event, in the form in which events are kept.

    What is in it is checked as an append is; whether it is what was appended once, nobody can tell any more.

    Raises:
        InvalidCopy: it is no event, or another one.
        InvalidEvents, TooDeep, PayloadTooLarge: no append would have been accepted with it.
    """
    try:
        event = decode_event(copy)
    except NotAnEvent as error:
        raise InvalidCopy(f"`event` is not an event as a consumer is given it: {error}.") from error
    if (event.partition, event.offset) != (partition, offset):
        raise InvalidCopy(f"`event` is the one at {event.partition}/{event.offset}; {partition}/{offset} is reported.")
    envelope = Envelope(
        payload=event.payload,
        type=event.type,
        key=event.key,
        id=event.id,
        occurred_at=event.occurred_at,
        headers=event.headers,
        deliver_after=event.deliver_after,
        expires_after=event.expires_after,
    )
    try:
        (record,), *_ = make_records([envelope], is_single=True)
    except InvalidEvents as error:
        faults = [EventFault(f"/event{fault.pointer}", fault.code, fault.detail) for fault in error.faults]
        raise InvalidEvents(faults) from error
    (placed,) = place_records([record[1:]], partition=partition, first_offset=offset, recorded_at=event.recorded_at)
    return placed


def find_kept_copy(partition_id: int, offset: int) -> bytes | None:
    """Return the copy that a dead letter of any group has of an event: that came out of the log."""
    copies = DeadLetter.objects.filter(
        partition_id=partition_id, offset=offset, event__isnull=False, is_reported_copy=False
    )
    kept = copies.values_list("event", flat=True).first()
    return None if kept is None else bytes(kept)


def was_erased(stream: StreamInfo, partition: int, offset: int) -> bool:
    """Whether somebody had erased the event before retention took it: then no copy may bring it back."""
    return AuditEntry.objects.filter(
        stream_id=stream.id, action=AuditAction.EVENT_ERASED, target=f"event {partition}/{offset}"
    ).exists()
