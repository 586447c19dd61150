"""What the pages about dead letters show, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from accounts.caller import Caller
from consumers.access import GroupRight, may_edit_payloads
from consumers.dead_letter_queries import get_dead_letter
from consumers.models import DeadLetter, Mode
from consumers.queries import rights_on_loaded
from consumers.services.dead_letters.selection import is_redrivable
from consumers.states import DeadLetterStatus
from observability.dashboard.queries.caller_names import names_of_callers
from observability.dashboard.queries.event_view import EventView, view_event
from streams.queries import rights_on_row

REASONS = {
    "max_failures": "failed too often",
    "delivery_cap": "handed out too often",
    "terminal": "refused for good",
    "reported": "parked by its consumer",
}


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A dead letter in a list."""

    id: int
    stream: str
    group: str
    partition: int
    offset: int
    event_type: str
    event_key: str
    reason: str
    status: str
    error: str
    failure_count: int
    created_at: datetime
    may_manage: bool

    @property
    def is_open(self) -> bool:
        return self.status == DeadLetterStatus.OPEN


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at an event: who had it, how it ended, what they said."""

    number: int
    outcome: str
    consumer: str
    leased_at: datetime | None
    ended_at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Change:
    """One place of a payload that an edit changed; None: not there."""

    pointer: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class RedriveView:
    """One time that it was sent to its group again."""

    requested_by: str
    requested_at: datetime
    note: str
    is_edited: bool
    changes: Sequence[Change]
    outcome: str
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """One dead letter with all that is known of it. `event` is None where retention was faster."""

    row: DeadLetterRow
    event: EventView | None
    delivery_count: int
    reported_by: str
    is_reported_copy: bool
    closed_at: datetime | None
    closed_by: str
    note: str
    fingerprint: str
    attempts: Sequence[Attempt]
    redrives: Sequence[RedriveView]
    may_redrive: bool
    may_edit: bool
    edited_by: str
    is_lease_mode: bool


def describe_dead_letter(caller: Caller, dead_letter_id: str) -> DeadLetterPage:
    """Return one dead letter with its event, attempts and redrives.

    Raises:
        DeadLetterNotFound
    """
    found = get_dead_letter(caller, dead_letter_id)
    may_manage = _may_manage(caller, found)
    redrives = list(found.redrives.all())
    event = view_event(bytes(found.event)) if found.event is not None else None
    editor = event.edited.by if event and event.edited else ""
    names = names_of_callers([found.closed_by, found.reported_by, editor, *(each.requested_by for each in redrives)])
    return DeadLetterPage(
        row=view_row(found, may_manage=may_manage),
        event=event,
        delivery_count=found.delivery_count,
        reported_by=names.get(found.reported_by, ""),
        is_reported_copy=found.is_reported_copy,
        closed_at=found.closed_at,
        closed_by=names.get(found.closed_by, ""),
        note=found.note,
        fingerprint=found.error_fingerprint,
        attempts=[
            Attempt(each.number, each.outcome, each.consumer, each.leased_at, each.ended_at, each.error)
            for each in found.attempts.all()
        ],
        redrives=[
            RedriveView(
                requested_by=names.get(each.requested_by, ""),
                requested_at=each.requested_at,
                note=each.note,
                is_edited=each.edited_event is not None,
                changes=[Change(**change) for change in orjson.loads(each.difference)] if each.difference else [],
                outcome=each.outcome,
                ended_at=each.ended_at,
            )
            for each in redrives
        ],
        may_redrive=may_manage and is_redrivable(found),
        # There is no payload any more that another one could replace.
        may_edit=may_edit_payloads(rights_on_row(caller, found.group.stream)) and not (event and event.erased),
        edited_by=names.get(editor, ""),
        is_lease_mode=found.group.mode == Mode.LEASE,
    )


def _may_manage(caller: Caller, letter: DeadLetter) -> bool:
    return GroupRight.MANAGE in rights_on_loaded(caller, letter.group)


def view_row(letter: DeadLetter, *, may_manage: bool) -> DeadLetterRow:
    """Return a dead letter as lists show it."""
    return DeadLetterRow(
        id=letter.pk,
        stream=letter.group.stream.name,
        group=letter.group.name,
        partition=letter.partition.number,
        offset=letter.offset,
        event_type=letter.event_type,
        event_key=letter.event_key,
        reason=REASONS.get(letter.reason, letter.reason),
        status=letter.status,
        error=letter.last_error,
        failure_count=letter.failure_count,
        created_at=letter.created_at,
        may_manage=may_manage,
    )
