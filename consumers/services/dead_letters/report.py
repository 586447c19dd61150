"""An offset-mode consumer that cannot process an event parks it and goes on."""

from django.db import transaction
from django.db.models import Max

from consumers import metrics
from consumers.models import ConsumerGroup, DeadLetter, Mode
from consumers.services.dead_letters.copies import DeadEvent, add_dead_letters
from consumers.services.dead_letters.reported_copy import find_kept_copy, read_reported_copy, was_erased
from consumers.services.leasing.settle import clean_error
from consumers.services.offsets import require_mode
from consumers.statements import run
from consumers.states import DeadLetterStatus, ExhaustedReason
from streams.errors import EventExpired
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo, partition_of
from streams.queries import get_event


def report_dead_letter(
    *,
    stream: StreamInfo,
    group: ConsumerGroup,
    partition: int,
    offset: int,
    error: str,
    reporter: str,
    copy: bytes | None = None,
) -> tuple[DeadLetter, bool]:
    """Keep an event that the group's consumer gave up on; the second value says whether it is new.

    The same event again is answered with the dead letter that is open. The committed offset stays where it is.

    Args:
        copy: the event as the consumer was given it, JSON; kept, and marked as what it is, if retention took the event.

    Raises:
        WrongMode: the group leases; there a terminal nack says the same.
        PartitionNotFound, EventNotFound
        EventExpired: retention took it, and there is no copy, or it had been erased.
        InvalidCopy, InvalidEvents, TooDeep, PayloadTooLarge: the copy is not of this event, or of none.
    """
    require_mode(
        group, Mode.OFFSET, f"{group.name} leases: say it with a nack, or an ack's `failed`, that is `terminal`."
    )
    place = partition_of(stream, partition)
    reported = None if copy is None else read_reported_copy(copy, partition=partition, offset=offset)
    same_event = DeadLetter.objects.filter(partition_id=place.id, offset=offset, group=group).order_by("-round")
    is_open = same_event.filter(status=DeadLetterStatus.OPEN)
    elsewhere = None
    if place.epochs:
        # Before the log is asked, which may not have the event any more.
        if (found := is_open.first()) is not None:
            return found, False
        # Another engine is not asked inside the transaction; nothing is erased there, so nothing has to be held.
        elsewhere = _event_or_copy(stream, place, offset, reported)
    with transaction.atomic():
        # One report of this partition at a time: the second finds what the first has kept.
        run("lock_offsets", group_id=group.pk, partition_ids=[place.id])
        found = is_open.first()
        if found is not None:
            return found, False
        if elsewhere is None:
            # What is erased from now on finds the copy.
            get_log().hold([place])
        event, is_reported_copy = elsewhere or _event_or_copy(stream, place, offset, reported)
        last_round = same_event.aggregate(last=Max("round"))["last"]
        dead = DeadEvent(
            place.id,
            offset,
            0 if last_round is None else last_round + 1,
            event,
            ExhaustedReason.REPORTED,
            failure_count=1,
            error=clean_error(error),
            reporter=reporter,
            is_reported_copy=is_reported_copy,
        )
        (added,) = add_dead_letters(group_id=group.pk, dead=[dead])
    metrics.count_dead_letters(stream.name, group.name, ExhaustedReason.REPORTED)
    return DeadLetter.objects.get(pk=added.id), True


def _event_or_copy(stream: StreamInfo, place: PartitionRef, offset: int, reported: bytes | None) -> tuple[bytes, bool]:
    """Return the event, and whether that is only the copy of whoever reports it."""
    try:
        return get_event(stream, place.number, offset), False
    except EventExpired:
        kept = find_kept_copy(place.id, offset)
        if kept is not None:
            return kept, False
        if reported is None or was_erased(stream, place.number, offset):
            raise
        return reported, True
