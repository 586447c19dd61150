"""Dead letters: what groups gave up on, one by one or grouped by error; redrive and discard with the count first."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.errors import DomainError
from accounts.permissions import MayConsume
from consumers.access import GroupRight
from consumers.bodies.dead_letters import read_filter, read_note
from consumers.dead_letter_queries import (
    DeadLetterFilter,
    get_bulk_action,
    get_dead_letter,
    get_editable_dead_letter,
    list_managed_dead_letters,
    list_managed_groups,
)
from consumers.errors import DeadLetterNotOpen
from consumers.models import BulkKind, DeadLetter
from consumers.services.dead_letters.bulk import preview_bulk_action, start_bulk_action
from consumers.services.dead_letters.close import discard_dead_letter, resolve_dead_letter
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.dead_letters.selection import discard_selection, is_redrivable, redrive_selection
from consumers.states import DeadLetterStatus
from observability.dashboard.forms import Form
from observability.dashboard.listing import PAGE_ROWS, cursor_of, listing_of
from observability.dashboard.once import once
from observability.dashboard.page import Page, Toast, is_htmx
from observability.dashboard.payloads import parse_payload
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.dead_letter_pages import (
    REASONS,
    describe_dead_letter,
    list_dead_letter_rows,
    list_error_kinds,
    view_bulk_action,
)
from observability.wording import number_of

FILTERS = ("stream", "group", "status", "reason", "type", "fingerprint")
STATUSES = [status.value for status in DeadLetterStatus]
MAX_SELECTED = 250


def filter_of(given: Mapping[str, str]) -> tuple[DeadLetterFilter, dict[str, str]]:
    """Return the filter that the form's fields describe, and the fields themselves; open ones unless asked."""
    fields = {name: given.get(name, "").replace("\x00", "").strip() for name in FILTERS}
    if "status" not in given:
        fields["status"] = DeadLetterStatus.OPEN
    fields = {name: value for name, value in fields.items() if value}
    return read_filter(fields), fields


class DeadLetters(Page):
    """The list with its filters, the kinds of errors, and how far a bulk action has come."""

    section = "dead-letters"
    permission_classes = (MayConsume,)
    template = "dashboard/dead_letters.html"
    region = "dashboard/_dead_letters.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        wanted, fields = filter_of(request.GET.dict())
        cursor = cursor_of(request)
        before = int(cursor) if cursor and cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else None
        rows = list_dead_letter_rows(self.caller, wanted, before=before, limit=PAGE_ROWS + 1)
        is_open_only = fields.get("status") == DeadLetterStatus.OPEN
        bulk = request.GET.get("bulk")
        return self.show(
            listing=listing_of(request, rows, key=lambda row: row.id, filters=FILTERS),
            kinds=list_error_kinds(self.caller, wanted) if before is None else [],
            fields=fields,
            statuses=STATUSES,
            reasons=REASONS.items(),
            may_act=is_open_only and any(row.may_manage for row in rows),
            bulk=view_bulk_action(get_bulk_action(self.caller, bulk)) if bulk else None,
            query=urlencode(fields),
            is_open_only=is_open_only,
            is_narrowed=bool(set(fields) - {"status"}),
        )


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


class ActOnMany(Page):
    """Redrive or discard a selection, or all that match a filter: the question with its numbers, then the act."""

    section = "dead-letters"
    permission_classes = (MayConsume,)
    kind: ClassVar[BulkKind] = BulkKind.REDRIVE

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.GET.get("scope") == "all":
            wanted, fields = filter_of(request.GET.dict())
            groups = list_managed_groups(self.caller, wanted)
            preview = preview_bulk_action(kind=self.kind, groups=groups, wanted=wanted)
            return self._ask(count=preview.count, first_at=preview.first_at, last_at=preview.last_at, fields=fields)
        chosen = self._selection(request.GET.getlist("id"))
        able = [each for each in chosen if self._is_able(each)]
        return self._ask(count=len(able), skipped=len(chosen) - len(able), ids=[each.pk for each in chosen])

    @once()
    def post(self, request: HttpRequest) -> HttpResponse:
        if request.POST.get("scope") == "all":
            return self._act_on_all(request)
        chosen = self._selection(request.POST.getlist("id"))
        act = redrive_selection if self.kind is BulkKind.REDRIVE else discard_selection
        count = act(dead_letters=chosen, requested_by=self.caller.reference)
        return self.done(Toast("good", self._done(count)), to=_back(request))

    def _act_on_all(self, request: HttpRequest) -> HttpResponse:
        wanted, fields = filter_of(request.POST.dict())
        action = start_bulk_action(
            kind=self.kind,
            groups=list_managed_groups(self.caller, wanted),
            wanted=wanted,
            requested_by=self.caller.reference,
            note=_note(request),
        )
        if action.finished_at is not None:
            return self.done(Toast("good", self._done(action.done_count)), to=_back(request))
        toast = Toast("info", f"{number_of(action.total_count, 'dead letter')} in progress")
        return self.done(toast, to=f"{reverse('dead-letters')}?{urlencode(fields | {'bulk': str(action.pk)})}")

    def _ask(self, **numbers: Any) -> HttpResponse:
        address = reverse(f"dead-letters-{self.kind.value}")
        context = {"skipped": 0, "ids": [], "fields": {}, "first_at": None, "last_at": None} | numbers
        return self.dialog("dashboard/_dead_letters_act.html", verb=self.kind.value, address=address, **context)

    def _done(self, count: int) -> str:
        letters = number_of(count, "dead letter")
        return f"{letters} sent again" if self.kind is BulkKind.REDRIVE else f"{letters} discarded"

    def _is_able(self, letter: DeadLetter) -> bool:
        return is_redrivable(letter) if self.kind is BulkKind.REDRIVE else letter.status == DeadLetterStatus.OPEN

    def _selection(self, ids: list[str]) -> list[DeadLetter]:
        numbers = [int(each) for each in ids[:MAX_SELECTED] if each.isascii() and each.isdigit() and len(each) < 19]
        return list(list_managed_dead_letters(self.caller, DeadLetterFilter()).filter(pk__in=numbers).order_by("pk"))


class DiscardMany(ActOnMany):
    kind = BulkKind.DISCARD


def _note(request: HttpRequest) -> str:
    return read_note({"note": text_of(request, "note")})


def text_of(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\x00", "").strip()


def _back(request: HttpRequest) -> str:
    """The list as it was filtered."""
    _, fields = filter_of(request.POST.dict())
    return f"{reverse('dead-letters')}?{urlencode(fields)}" if is_htmx(request) and fields else reverse("dead-letters")
