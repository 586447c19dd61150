"""Erasing the payload of one event: the question, and then it is gone."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.http.parameters import whole_number
from accounts.permissions import MayManage
from accounts.roles import Right
from consumers.bodies.erasure import read_reason
from consumers.conf import MAX_REASON_CHARACTERS
from consumers.services.erasure import erase_event
from observability.dashboard.forms import Form, refused_form
from observability.dashboard.page import Page, Toast
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.stream_pages import describe_stream
from streams.errors import ConfirmationMissing
from streams.lookup import info_of
from streams.queries import get_stream


class EraseEvent(Page):
    """The confirmation, which asks for a reason, then the erasure."""

    section = "streams"
    permission_classes = (MayManage,)
    question = "dashboard/_event_erase.html"

    def get(self, request: HttpRequest, stream: str, partition: str, offset: str) -> HttpResponse:
        return self.dialog(self.question, **self._context(stream, *_place(partition, offset)), form=Form())

    def post(self, request: HttpRequest, stream: str, partition: str, offset: str) -> HttpResponse:
        info = info_of(get_stream(self.caller, stream, Right.MANAGE))
        number, position = _place(partition, offset)
        try:
            reason = read_reason({"reason": request.POST.get("reason", "")})
            _check_confirmation(request, offset)
        except (ValidationError, ConfirmationMissing) as error:
            problem = problem_of(error, request)
            context = self._context(stream, number, position) | {
                "form": refused_form(request.POST.dict(), problem, {"/reason": "reason"}, whole="confirm"),
                "dialog": self.question,
            }
            return self.form_again("dashboard/_event_erase_form.html", "dashboard/question.html", **context)
        erase_event(stream=info, partition=number, offset=position, reason=reason, now=timezone.now())
        toast = Toast("good", f"The payload of {stream} {number}/{position} is erased")
        return self.done(toast, to=reverse("event-page", args=[stream, number, position]))

    def _context(self, stream: str, partition: int, offset: int) -> dict[str, Any]:
        heading = describe_stream(self.caller, stream, Right.MANAGE)
        heading.info.partition(partition)
        return {"stream": heading, "partition": partition, "offset": offset, "longest": MAX_REASON_CHARACTERS}


def _check_confirmation(request: HttpRequest, offset: str) -> None:
    if request.POST.get("confirm", "").strip() != offset:
        raise ConfirmationMissing(f"This cannot be undone. Type the offset, {offset}, to confirm.")


def _place(partition: str, offset: str) -> tuple[int, int]:
    return whole_number(partition, "partition"), whole_number(offset, "offset", low=1)
