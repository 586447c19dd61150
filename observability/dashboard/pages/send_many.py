"""Sending several events by hand: all of them or none, once, and what is wrong with which line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.errors import DomainError
from accounts.http.idempotent import hash_request
from accounts.permissions import MayProduce
from observability.dashboard.event_lines import LineFault, RefusedLines, at_lines, read_events, split_events
from observability.dashboard.forms import Form, refused_form
from observability.dashboard.listing import text_filter
from observability.dashboard.page import Page, Toast, form_key, is_htmx, say
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.stream_pages import list_producible_names
from observability.wording import number_of
from streams.conf import MAX_REQUEST_EVENTS
from streams.errors import InvalidEvents, StreamNotFound
from streams.log.protocol import AppendedRange
from streams.services.ingest import Idempotency, Placement, append_events

EXAMPLE = (
    '{"type": "order.created", "key": "c-7", "payload": {"order_id": 1042}}\n'
    '{"type": "order.paid", "key": "c-7", "occurred_at": "2026-11-22T10:00:00Z", "payload": {"order_id": 1042}}'
)


@dataclass(frozen=True, slots=True)
class SentRange:
    """Events that were just stored one after the other in one partition."""

    stream: str
    partition: int
    first_offset: int
    last_offset: int
    sent_at: datetime

    @property
    def count(self) -> int:
        return self.last_offset - self.first_offset + 1


class SendMany(Page):
    """The form for several events, and sending them as one batch."""

    section = "send"
    permission_classes = (MayProduce,)
    template = "dashboard/send_many.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(Form({"stream": text_filter(request, "stream"), "events": EXAMPLE}))

    def post(self, request: HttpRequest) -> HttpResponse:
        values = {name: request.POST.get(name, "") for name in ("stream", "events")}
        try:
            sent, count = self._send(request, values)
        except RefusedLines as error:
            told = f"Nothing was stored: {number_of(len(error.faults), 'fault')}."
            return self._refused(Form(values, {"events": told}), "Invalid events", faults=error.faults)
        except (DomainError, ValidationError) as error:
            problem = problem_of(error, request)
            if problem.status >= 500:
                raise
            whole = "events" if isinstance(error, InvalidEvents) or problem.status in (400, 413) else "stream"
            whole = "stream" if isinstance(error, StreamNotFound) else whole
            return self._refused(refused_form(values, problem, {"/stream": "stream"}, whole=whole), problem.title)
        told = _tell(values["stream"].strip(), sum(each.count for each in sent), count)
        toast = Toast("good", "Stored" if sent else "There already", told)
        if is_htmx(request):
            return self.part("dashboard/_sent_ranges.html", toast=toast, sent_ranges=sent, is_new=True)
        return self._page(Form(values), sent=sent)

    def _send(self, request: HttpRequest, values: dict[str, str]) -> tuple[list[SentRange], int]:
        """Return the ranges that were given out, and how many events were sent."""
        stream = values["stream"].strip()
        lines = split_events(values["events"])
        events = read_events(lines)
        key = form_key(request)
        idempotency = None
        if key:
            body = orjson.dumps([stream, values["events"]])
            idempotency = Idempotency(key, hash_request("POST", request.path, body))
        try:
            _, answer = append_events(
                caller=self.caller,
                events=events,
                is_single=False,
                stream_name=stream,
                render=_render,
                idempotency=idempotency,
            )
        except InvalidEvents as error:
            raise at_lines(lines, error) from error
        now = timezone.now()
        return [
            SentRange(stream, number, first, last, now) for number, first, last in orjson.loads(answer) if first <= last
        ], len(events)

    def _refused(self, form: Form, title: str, faults: Sequence[LineFault] = ()) -> HttpResponse:
        response = self._page(form, faults=faults, status=422, is_part=is_htmx(self.request))
        if is_htmx(self.request):
            response["HX-Retarget"], response["HX-Reswap"] = "#send-form", "outerHTML"
            say(response, Toast("bad", title, "Nothing was stored."))
        return response

    def _page(
        self,
        form: Form,
        *,
        faults: Sequence[LineFault] = (),
        sent: Sequence[SentRange] = (),
        status: int = 200,
        is_part: bool = False,
    ) -> HttpResponse:
        context: dict[str, Any] = {
            "form": form,
            "many": True,
            "line_faults": faults,
            "stream_names": list_producible_names(self.caller),
            "most_events": MAX_REQUEST_EVENTS,
        }
        if is_part:
            return self.part("dashboard/_send_many_form.html", status=status, **context)
        return self.whole(self.template, status=status, sent_ranges=sent, **context)


def _tell(stream: str, stored: int, sent: int) -> str:
    """How many were stored, and how many had been before."""
    told = f"{stream}: {number_of(stored, 'event')}"
    return told if stored == sent else f"{told}; {number_of(sent - stored, 'event')} there already, by their ids"


def _render(_placement: Placement, ranges: Sequence[AppendedRange]) -> bytes:
    return orjson.dumps(
        [[each.partition.number, run.first_offset, run.last_offset] for each in ranges for run in each.runs]
    )
