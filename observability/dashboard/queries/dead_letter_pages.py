"""What the pages about dead letters show, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from django.db.models import Count, Max, QuerySet

from accounts.caller import Caller
from accounts.models import ApiKey, User
from consumers.access import GroupRight, may_edit_payloads
from consumers.dead_letter_queries import DeadLetterFilter, get_dead_letter, list_dead_letters
from consumers.models import BulkAction, DeadLetter, Mode
from consumers.queries import rights_on_loaded
from consumers.services.dead_letters.selection import is_redrivable
from consumers.states import DeadLetterStatus
from observability.dashboard.queries.event_view import EventView, view_event
from streams.queries import rights_on_row

REASONS = {
    "max_failures": "failed too often",
    "delivery_cap": "handed out too often",
    "terminal": "refused for good",
    "reported": "parked by its consumer",
}
MAX_SAMPLE_CHARACTERS = 300


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
class ErrorKind:
    """Open dead letters whose errors are the same but for numbers and ids."""

    fingerprint: str
    sample: str
    count: int
    last_at: datetime


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


def list_dead_letter_rows(
    caller: Caller, wanted: DeadLetterFilter, *, before: int | None = None, limit: int
) -> list[DeadLetterRow]:
    """Return up to `limit` dead letters, newest first, without their events."""
    found = list_dead_letters(caller, wanted).order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    return [_row(each, may_manage=_may_manage(caller, each)) for each in found[:limit]]


def list_error_kinds(caller: Caller, wanted: DeadLetterFilter, *, limit: int = 6) -> list[ErrorKind]:
    """Return the commonest kinds of error among the dead letters that match."""
    found: QuerySet[DeadLetter] = list_dead_letters(caller, wanted).select_related(None).defer(None).order_by()
    kinds = found.values("error_fingerprint").annotate(
        letters=Count("pk"), last_at=Max("created_at"), last_id=Max("pk")
    )
    rows = list(kinds.order_by("-letters", "error_fingerprint")[:limit])
    samples = dict(DeadLetter.objects.filter(pk__in=[row["last_id"] for row in rows]).values_list("pk", "last_error"))
    return [
        ErrorKind(
            fingerprint=row["error_fingerprint"],
            sample=samples.get(row["last_id"], "")[:MAX_SAMPLE_CHARACTERS],
            count=row["letters"],
            last_at=row["last_at"],
        )
        for row in rows
    ]


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
    names = _names_of([found.closed_by, found.reported_by, editor, *(each.requested_by for each in redrives)])
    return DeadLetterPage(
        row=_row(found, may_manage=may_manage),
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


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How far a redrive or discard of many has come."""

    id: int
    kind: str
    done_count: int
    total_count: int
    is_finished: bool


def view_bulk_action(action: BulkAction) -> BulkProgress:
    """Return a bulk action as pages show it."""
    return BulkProgress(
        action.pk, action.kind, action.done_count, action.total_count, is_finished=action.finished_at is not None
    )


def _may_manage(caller: Caller, letter: DeadLetter) -> bool:
    return GroupRight.MANAGE in rights_on_loaded(caller, letter.group)


def _row(letter: DeadLetter, *, may_manage: bool) -> DeadLetterRow:
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


def _names_of(references: Sequence[str]) -> Mapping[str, str]:
    """Return who `user:…` and `key:…` are, in two queries at most."""
    user_ids = [int(each.removeprefix("user:")) for each in references if each.startswith("user:")]
    key_ids = [each.removeprefix("key:") for each in references if each.startswith("key:")]
    names = {each: each for each in references if each}
    if user_ids:
        names |= {f"user:{pk}": email for pk, email in User.objects.filter(pk__in=user_ids).values_list("pk", "email")}
    if key_ids:
        found = ApiKey.objects.filter(pk__in=key_ids).values_list("pk", "name")
        names |= {f"key:{pk}": f"key “{name}”" for pk, name in found}
    return names
