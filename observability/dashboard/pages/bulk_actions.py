"""Redriving and discarding many dead letters: the question with its numbers, the act, and its cancellation."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.permissions import MayConsume
from accounts.row_ids import row_id_in
from consumers.bodies.dead_letters import read_bulk_options
from consumers.bulk_action_queries import get_bulk_action
from consumers.conf import MAX_BULK_PER_SECOND
from consumers.dead_letter_queries import list_managed_groups, list_selected_dead_letters
from consumers.models import BulkAction, BulkKind, DeadLetter
from consumers.services.dead_letters.bulk import preview_bulk_action, start_bulk_action
from consumers.services.dead_letters.cancel import cancel_bulk_action
from consumers.services.dead_letters.selection import discard_selection, is_redrivable, redrive_selection
from consumers.states import DeadLetterStatus
from observability.dashboard.forms import number_or_text
from observability.dashboard.once import once
from observability.dashboard.page import Page, Toast
from observability.dashboard.pages.dead_letters import filter_of, text_of
from observability.wording import number_of

MAX_SELECTED = 250


class ActOnMany(Page):
    """Redrive or discard a selection, or all that match a filter: the question with its numbers, then the act."""

    section = "dead-letters"
    permission_classes = (MayConsume,)
    kind: ClassVar[BulkKind] = BulkKind.REDRIVE

    def get(self, request: HttpRequest) -> HttpResponse:
        # Also for a choice: it was made in a list that is come back to.
        wanted, fields = filter_of(request.GET.dict())
        if request.GET.get("scope") == "all":
            groups = list_managed_groups(self.caller, wanted)
            preview = preview_bulk_action(kind=self.kind, groups=groups, wanted=wanted)
            return self._ask(fields, count=preview.count, preview=preview)
        chosen = self._selection(request.GET.getlist("id"))
        able = [each for each in chosen if self._is_able(each)]
        return self._ask(fields, count=len(able), skipped=len(chosen) - len(able), ids=[each.pk for each in chosen])

    @once()
    def post(self, request: HttpRequest) -> HttpResponse:
        if request.POST.get("scope") == "all":
            return self._act_on_all(request)
        chosen = self._selection(request.POST.getlist("id"))
        act = redrive_selection if self.kind is BulkKind.REDRIVE else discard_selection
        count = act(dead_letters=chosen, requested_by=self.caller.reference)
        return self.done(Toast("good", self._done(count)), to=_back(request))

    def _act_on_all(self, request: HttpRequest) -> HttpResponse:
        wanted, _ = filter_of(request.POST.dict())
        options = {"note": text_of(request, "note"), "per_second": number_or_text(request.POST.get("per_second", ""))}
        said = read_bulk_options({name: value for name, value in options.items() if value is not None})
        action = start_bulk_action(
            kind=self.kind,
            groups=list_managed_groups(self.caller, wanted),
            wanted=wanted,
            requested_by=self.caller.reference,
            note=said.note,
            per_second=said.per_second,
        )
        if action.finished_at is not None:
            return self.done(Toast("good", self._done(action.done_count)), to=_back(request))
        return self.done(Toast("info", "Under way", "Its progress is shown here."), to=_back(request))

    def _ask(self, fields: Mapping[str, str], **numbers: Any) -> HttpResponse:
        address = reverse(f"dead-letters-{self.kind.value}")
        context = {"skipped": 0, "ids": [], "fields": fields, "preview": None, "most": MAX_BULK_PER_SECOND} | numbers
        context |= {"verb": self.kind.value, "address": address, "list_url": _list_url(fields)}
        return self.dialog("dashboard/_dead_letters_act.html", **context)

    def _done(self, count: int) -> str:
        letters = number_of(count, "dead letter")
        return f"{letters} sent again" if self.kind is BulkKind.REDRIVE else f"{letters} discarded"

    def _is_able(self, letter: DeadLetter) -> bool:
        return is_redrivable(letter) if self.kind is BulkKind.REDRIVE else letter.status == DeadLetterStatus.OPEN

    def _selection(self, ids: list[str]) -> list[DeadLetter]:
        numbers = [number for each in ids[:MAX_SELECTED] if (number := row_id_in(each)) is not None]
        return list_selected_dead_letters(self.caller, numbers)


class DiscardMany(ActOnMany):
    kind = BulkKind.DISCARD


class CancelBulkAction(Page):
    """End one that is under way; what it has done stays done."""

    section = "dead-letters"
    permission_classes = (MayConsume,)

    @once()
    def post(self, request: HttpRequest, action_id: str) -> HttpResponse:
        action = get_bulk_action(self.caller, action_id)
        cancel_bulk_action(action=action, cancelled_by=self.caller.reference)
        return self.done(Toast("good", "Cancelled", _so_far(action)), to=reverse("dead-letters"), stay=True)


def _so_far(action: BulkAction) -> str:
    done = "was sent again" if action.kind == BulkKind.REDRIVE else "was discarded"
    many = done.replace("was", "were")
    return f"{number_of(action.done_count, 'dead letter')} {done if action.done_count == 1 else many} before."


def _back(request: HttpRequest) -> str:
    """The list as it was filtered."""
    _, fields = filter_of(request.POST.dict())
    return _list_url(fields)


def _list_url(fields: Mapping[str, str]) -> str:
    return f"{reverse('dead-letters')}?{urlencode(fields)}"
