"""Dead letters: what groups gave up on, one by one or grouped by error, with how many of them there are."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.errors import DomainError, InvalidParameter
from accounts.permissions import MayConsume
from accounts.row_ids import row_id_in
from consumers.access import GroupRight
from consumers.bodies.dead_letters import read_filter, read_note
from consumers.dead_letter_queries import get_dead_letter, get_editable_dead_letter
from consumers.dead_letter_search import DeadLetterFilter
from consumers.errors import DeadLetterNotOpen
from consumers.services.dead_letters.close import discard_dead_letter, resolve_dead_letter
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.states import DeadLetterStatus
from observability.dashboard.forms import Form, refused_form
from observability.dashboard.listing import PAGE_ROWS, cursor_of, listing_from
from observability.dashboard.page import Page, Toast, is_htmx
from observability.dashboard.payloads import parse_payload
from observability.dashboard.problems import PageProblem, problem_of
from observability.dashboard.queries.bulk_progress import list_bulk_progress
from observability.dashboard.queries.dead_letter_list import NO_ERROR, list_dead_letter_groups, look_at_dead_letters
from observability.dashboard.queries.dead_letter_pages import REASONS, describe_dead_letter
from observability.dashboard.typed_times import ZONE, moment_of, zone_of

FILTERS = ("stream", "group", "status", "reason", "type", "fingerprint", "text", "since", "until")
MOMENTS = ("since", "until")
NAMES = ("stream", "group")
STATUSES = [status.value for status in DeadLetterStatus]


def fields_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return what the form's fields say: open ones unless asked."""
    fields = {name: given.get(name, "").replace("\x00", "").strip() for name in FILTERS}
    # Names are in lower case, however a keyboard begins them.
    fields |= {name: fields[name].lower() for name in NAMES}
    if "status" not in given:
        fields["status"] = DeadLetterStatus.OPEN
    return {name: value for name, value in fields.items() if value}


def filter_of(given: Mapping[str, str]) -> tuple[DeadLetterFilter, dict[str, str]]:
    """Return the filter that the form's fields describe, and the fields themselves, with times in UTC.

    Raises:
        ValidationError
    """
    fields = fields_of(given)
    fields |= {name: _in_utc(fields[name], name, zone=zone_of(given)) for name in MOMENTS if name in fields}
    wanted = read_filter(fields)
    return (replace(wanted, fingerprint="") if wanted.fingerprint == NO_ERROR else wanted), fields


def _in_utc(text: str, field: str, *, zone: str) -> str:
    try:
        return moment_of(text, field, zone=zone, is_end=field == "until").astimezone(UTC).isoformat()
    except InvalidParameter as error:
        raise ValidationError({field: error.fault}) from error
    except OverflowError as error:
        raise ValidationError({field: "Is too far away."}) from error


class DeadLetters(Page):
    """The list with its filters and totals, the kinds of errors, and how far bulk actions have come."""

    section = "dead-letters"
    permission_classes = (MayConsume,)
    template = "dashboard/dead_letters.html"
    region = "dashboard/_dead_letters.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        try:
            wanted, fields = filter_of(request.GET.dict())
        except ValidationError as error:
            return self._refused(request.GET.dict(), problem_of(error, request))
        before = row_id_in(cursor_of(request) or "")
        groups = list_dead_letter_groups(self.caller)
        seen = look_at_dead_letters(groups, wanted, before=before, limit=PAGE_ROWS)
        actions = list_bulk_progress(self.caller, groups, now=timezone.now())
        # Times with their zone, as they are now: the form need not say any.
        context = _context_of(fields, Form(fields | {ZONE: ""}))
        return self.show(
            **context,
            listing=listing_from(request, seen.rows, go_on=seen.next_id, filters=FILTERS),
            kinds=seen.kinds if before is None else [],
            totals=seen.totals,
            may_act=context["is_open_only"] and any(row.may_manage for row in seen.rows),
            actions=actions,
            is_under_way=any(each.is_running for each in actions),
        )

    def _refused(self, given: Mapping[str, str], problem: PageProblem) -> HttpResponse:
        fields = fields_of(given)
        typed = fields | {ZONE: zone_of(given)}
        form = refused_form(typed, problem, {f"?{name}": name for name in FILTERS})
        return self.whole(self.template, status=problem.status, is_refused=True, **_context_of(fields, form))


def _context_of(fields: Mapping[str, str], form: Form) -> dict[str, Any]:
    """What the page shows of its filter, whether it will do or not."""
    return {
        "form": form,
        "fields": fields,
        "statuses": STATUSES,
        "reasons": REASONS.items(),
        "query": urlencode(fields),
        "is_open_only": fields.get("status") == DeadLetterStatus.OPEN,
        "is_narrowed": bool(set(fields) - {"status"}),
    }


class OneDeadLetter(Page):
    """The event as it was, the attempts with their errors, and what was done about it."""

    section = "dead-letters"
    permission_classes = (MayConsume,)
    template = "dashboard/dead_letter.html"

    def get(self, request: HttpRequest, letter_id: str) -> HttpResponse:
        letter = describe_dead_letter(self.caller, letter_id)
        payload = letter.event.payload if letter.event else ""
        return self.whole(self.template, letter=letter, form=Form({"payload": payload}))


class RedriveOne(Page):
    """Send one to its group again, with its payload or an edited one."""

    section = "dead-letters"
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, letter_id: str) -> HttpResponse:
        found = get_dead_letter(self.caller, letter_id, GroupRight.MANAGE)
        page = describe_dead_letter(self.caller, letter_id)
        # Who may not edit it has no field for it.
        typed = request.POST.get("payload", page.event.payload if page.event else "")
        try:
            payload = None
            # A text area turns line ends into CR LF; what was not touched is sent as it was.
            if page.event is not None and typed.replace("\r\n", "\n") != page.event.payload.replace("\r\n", "\n"):
                found = get_editable_dead_letter(self.caller, letter_id)
                payload = parse_payload(typed)
            note = _note(request)
            redrive_dead_letter(dead_letter=found, requested_by=self.caller.reference, payload=payload, note=note)
        except DomainError as error:
            problem = problem_of(error, request)
            # Somebody else was faster: what was typed stays, beside the state that the letter is in now.
            is_outrun = isinstance(error, DeadLetterNotOpen) and is_htmx(request)
            if problem.status in (403, 409) and not is_outrun:
                raise
            if is_outrun:
                page = describe_dead_letter(self.caller, letter_id)
            form = Form({"payload": typed, "note": request.POST.get("note", "")}, {"payload": problem.detail})
            context: dict[str, Any] = {"letter": page, "form": form, "is_outrun": is_outrun}
            return self.form_again("dashboard/_redrive_form.html", "dashboard/dead_letter.html", **context)
        edited = " with the edited payload" if payload is not None else ""
        return self.done(
            Toast("good", f"Sent to {found.group.name} again{edited}"), to=reverse("dead-letter", args=[letter_id])
        )


class CloseOne(Page):
    """Discard one, or record that it was dealt with elsewhere."""

    section = "dead-letters"
    permission_classes = (MayConsume,)
    verb: ClassVar[str] = "discard"

    def get(self, request: HttpRequest, letter_id: str) -> HttpResponse:
        get_dead_letter(self.caller, letter_id, GroupRight.MANAGE)
        letter = describe_dead_letter(self.caller, letter_id)
        return self.dialog("dashboard/_dead_letter_close.html", letter=letter, verb=self.verb)

    def post(self, request: HttpRequest, letter_id: str) -> HttpResponse:
        found = get_dead_letter(self.caller, letter_id, GroupRight.MANAGE)
        close = discard_dead_letter if self.verb == "discard" else resolve_dead_letter
        try:
            close(dead_letter=found, requested_by=self.caller.reference, note=_note(request))
        except DeadLetterNotOpen as error:
            if not is_htmx(request):
                raise
            # The page that asked shows it as open: have it show what became of it.
            toast = Toast("warn", problem_of(error, request).detail)
            return self.done(toast, to=reverse("dead-letter", args=[letter_id]))
        done = "discarded" if self.verb == "discard" else "resolved"
        return self.done(Toast("good", f"Dead letter {letter_id} is {done}"), to=reverse("dead-letters"))


class ResolveOne(CloseOne):
    verb = "resolve"


def _note(request: HttpRequest) -> str:
    return read_note({"note": text_of(request, "note")})


def text_of(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\x00", "").strip()
