"""Sending dead letters to their group again: to that group only, with an edited payload if need be."""

from collections.abc import Sequence
from typing import NamedTuple

import orjson
from django.db import transaction

from accounts.audit_actions import AuditAction
from accounts.errors import PayloadTooLarge
from consumers import metrics
from consumers.errors import DeadLetterNotOpen, DeadLetterWithoutEvent, EventErased
from consumers.models import ConsumerGroup, DeadLetter, Mode
from consumers.payload_difference import payload_difference
from consumers.services.dead_letters.audit import record_dead_letters
from consumers.services.offsets import require_mode
from consumers.services.wakeup import wake_consumers
from consumers.sorting import key_hash_of
from consumers.statements import run
from streams.conf import MAX_EVENT_BYTES
from streams.lookup import find_stream
from streams.services.validation import check_payload
from streams.stored_event import is_erased, replace_payload, routing_of


class EditedEvent(NamedTuple):
    """An event with another payload, and what that changed, as JSON."""

    event: bytes
    difference: str


def redrive_dead_letter(
    *, dead_letter: DeadLetter, requested_by: str, payload: bytes | None = None, note: str = ""
) -> int:
    """Send one dead letter to its group again, as a new round; return the round.

    Args:
        requested_by: the caller's reference, kept with the redrive.
        payload: JSON to send instead of the event's payload; the original stays as it is.

    Raises:
        WrongMode: the group commits offsets and has no deliveries to send it with.
        DeadLetterNotOpen: it was redriven, resolved or discarded before; nothing was changed.
        DeadLetterWithoutEvent: retention took the event before it could be copied.
        EventErased: there is no payload any more that another one could replace.
        PayloadTooLarge
        InvalidPayloads: the payload is not as the schema of the event's type says, and its stream enforces it.
    """
    require_redrivable(dead_letter.group)
    if dead_letter.event is None:
        raise DeadLetterWithoutEvent("Retention took this event while it was still being tried: discard or resolve it.")
    unfit_for = _check_payload(dead_letter, payload) if payload is not None else None
    with transaction.atomic():
        edited = _edit(dead_letter, payload, unfit_for) if payload is not None else None
        rounds = redrive_dead_letters(
            group=dead_letter.group, dead_letters=[dead_letter], requested_by=requested_by, note=note, edited=edited
        )
    if dead_letter.pk not in rounds:
        raise not_open(dead_letter)
    return rounds[dead_letter.pk]


def _check_payload(dead_letter: DeadLetter, payload: bytes) -> int | None:
    """Hold a payload to the schema of the event's type; return the version that it does not fit, if it may not fit.

    Raises:
        InvalidPayloads
    """
    stream = find_stream(dead_letter.group.stream.name)
    return check_payload(stream, dead_letter.event_type, payload) if stream is not None else None


def _edit(dead_letter: DeadLetter, payload: bytes, unfit_for: int | None) -> EditedEvent:
    """Return the event with another payload, as it is under the lock: it might have been erased since it was loaded."""
    run("lock_offsets", group_id=dead_letter.group_id, partition_ids=[dead_letter.partition_id])
    dead_letter.refresh_from_db(fields=["event"])
    event = bytes(dead_letter.event or b"")
    if is_erased(event):
        raise EventErased("The payload of this event was erased: it can be sent again only as it is.")
    return edit_payload(event, payload, unfit_for=unfit_for)


def redrive_dead_letters(
    *,
    group: ConsumerGroup,
    dead_letters: Sequence[DeadLetter],
    requested_by: str,
    note: str = "",
    edited: EditedEvent | None = None,
    bulk_action_id: int | None = None,
) -> dict[int, int]:
    """Send those of a group's dead letters again that are open and have their event; return their new rounds."""
    partition_ids = sorted({each.partition_id for each in dead_letters})
    with transaction.atomic():
        run("lock_offsets", group_id=group.pk, partition_ids=partition_ids)
        rows = run(
            "redrive_dead_letters",
            group_id=group.pk,
            dead_letter_ids=[each.pk for each in dead_letters],
            key_hashes=[_key_hash_of(each) if group.keeps_key_order else None for each in dead_letters],
            requested_by=requested_by,
            note=note,
            edited_event=edited.event if edited else None,
            difference=edited.difference if edited else "",
            bulk_action_id=bulk_action_id,
        )
        wake_consumers(partition_ids if rows else ())
        if rows and bulk_action_id is None:
            record_dead_letters(
                AuditAction.DEAD_LETTERS_REDRIVEN, group, dead_letters, note=note, was_edited=edited is not None
            )
    metrics.count_dead_letter_act(group.stream.name, group.name, "redriven", len(rows))
    return dict(rows)


def _key_hash_of(dead_letter: DeadLetter) -> int | None:
    key = routing_of(bytes(dead_letter.event)).key if dead_letter.event is not None else None
    return None if key is None else key_hash_of(key)


def require_redrivable(group: ConsumerGroup) -> None:
    """Refuse groups that cannot be sent anything.

    Raises:
        WrongMode
    """
    require_mode(
        group,
        Mode.LEASE,
        f"{group.name} commits offsets: it reads by itself and cannot be sent a single event. Take the event from "
        "GET /dead-letters/{id}, deal with it, and then POST /dead-letters/{id}/resolve, or discard it.",
    )


def edit_payload(event: bytes, payload: bytes, *, unfit_for: int | None = None) -> EditedEvent:
    """Return the event with another payload; everything else of it keeps its bytes.

    Raises:
        PayloadTooLarge
    """
    edited, before = replace_payload(event, payload, unfit_for=unfit_for)
    if len(edited) > MAX_EVENT_BYTES:
        raise PayloadTooLarge(
            f"An event may have at most {MAX_EVENT_BYTES} bytes; with this payload it has {len(edited)}."
        )
    changes = [change._asdict() for change in payload_difference(before, payload)]
    return EditedEvent(edited, orjson.dumps(changes).decode())


def not_open(dead_letter: DeadLetter) -> DeadLetterNotOpen:
    """Say where a dead letter stands that is not open."""
    dead_letter.refresh_from_db(fields=["status"])
    return DeadLetterNotOpen(f"This dead letter is {dead_letter.status} already. Nothing was changed.")
