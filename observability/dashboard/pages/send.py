"""Sending events by hand: checked while typing, stored once however often it is retried."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.errors import DomainError, InvalidParameter
from accounts.http.idempotent import hash_request
from accounts.http.parameters import whole_number
from accounts.permissions import MayProduce
from accounts.roles import Right
from observability.dashboard.forms import Form, refused_form
from observability.dashboard.listing import text_filter
from observability.dashboard.page import Page, Toast, form_key, is_htmx, say
from observability.dashboard.payloads import parse_payload
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.event_view import view_event
from observability.dashboard.queries.stream_pages import list_producible_names
from streams.envelope import Envelope, decode_events, make_records
from streams.errors import EventFault, EventNotFound, InvalidEvents, StreamNotFound
from streams.log.protocol import AppendedRange
from streams.lookup import require_stream
from streams.queries import get_event
from streams.services.ingest import Idempotency, Placement, append_events, stored_events

EXAMPLE = '{\n  "order_id": 1042,\n  "customer": {"id": "c-7", "name": "Ada"},\n  "total": 199.90\n}'
NAMES = ("stream", "type", "key", "id", "occurred_at", "deliver_after", "expires_after", "headers", "payload")
TIMES = ("deliver_after", "expires_after")
FIELDS = {
    "/type": "type",
    "/key": "key",
    "/id": "id",
    "/occurred_at": "occurred_at",
    "/deliver_after": "deliver_after",
    "/expires_after": "expires_after",
    "/headers": "headers",
    "/payload": "payload",
    "/stream": "stream",
    "": "payload",
}

_seconds = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class SentEvent:
    """What became of an event that was just sent."""

    stream: str
    partition: int
    offset: int
    type: str
    key: str
    sent_at: datetime
    is_replay: bool
    is_repeated: bool

    @property
    def place(self) -> str:
        return f"{self.stream}, partition {self.partition}, offset {self.offset}"


class SendEvents(Page):
    """The form, the events that were sent from it, and sending."""

    section = "send"
    permission_classes = (MayProduce,)
    template = "dashboard/send.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        values = {"stream": text_filter(request, "stream"), "type": "event", "payload": EXAMPLE}
        if source := text_filter(request, "like", longest=40):
            values |= self._like(values["stream"], source)
        return self._page(Form(values))

    def post(self, request: HttpRequest) -> HttpResponse:
        values = {name: request.POST.get(name, "") for name in NAMES}
        try:
            sent = self._send(request, values)
        except (DomainError, ValidationError) as error:
            return self._refused(request, values, [error, *self._further(values)])
        toast = Toast("good", "There already, by its id" if sent.is_repeated else "Stored", sent.place)
        if is_htmx(request):
            return self.part("dashboard/_sent_row.html", toast=toast, sent=sent, is_new=True)
        return self._page(Form(values), sent_events=[sent])

    def _send(self, request: HttpRequest, values: dict[str, str]) -> SentEvent:
        event = _envelope(values)
        key = form_key(request)
        idempotency = None
        if key:
            body = orjson.dumps([values[name] for name in sorted(values)])
            idempotency = Idempotency(key, hash_request("POST", request.path, body))
        appended, answer = append_events(
            caller=self.caller,
            events=[event],
            is_single=True,
            stream_name=values["stream"].strip(),
            render=_render,
            idempotency=idempotency,
        )
        place = orjson.loads(answer)
        return SentEvent(
            stream=values["stream"].strip(),
            partition=place["partition"],
            offset=place["offset"],
            type=event.type,
            key=event.key or "",
            sent_at=timezone.now(),
            is_replay=appended.is_replay,
            is_repeated=place.get("duplicate", False),
        )

    def _further(self, values: dict[str, str]) -> list[Exception]:
        """What else is wrong, each part asked on its own: the first fault hides those behind it."""
        parts: tuple[Callable[[], object], ...] = (
            lambda: require_stream(self.caller, values["stream"].strip(), Right.PRODUCE),
            lambda: make_records([_envelope({**values, "payload": "null", "headers": ""})], is_single=True),
            lambda: make_records(
                [_envelope({**dict.fromkeys(NAMES, ""), "payload": "null", "headers": values["headers"]})],
                is_single=True,
            ),
            lambda: parse_payload(values["payload"]),
        )
        faults: list[Exception] = []
        for check in parts:
            try:
                check()
            except (DomainError, ValidationError) as error:
                faults.append(error)
        return faults

    def _refused(self, request: HttpRequest, values: dict[str, str], errors: Sequence[Exception]) -> HttpResponse:
        problem = problem_of(errors[0], request)
        if problem.status >= 500:
            raise errors[0]
        faults: dict[str, str] = {}
        for error in errors:
            whole = "stream" if isinstance(error, StreamNotFound) else "payload"
            faults = {**refused_form(values, problem_of(error, request), FIELDS, whole=whole).faults, **faults}
        form = Form(values, faults)
        response = self._page(form, status=422, is_part=is_htmx(request))
        if is_htmx(request):
            response["HX-Retarget"], response["HX-Reswap"] = "#send-form", "outerHTML"
            say(response, Toast("bad", problem.title, "Nothing was stored."))
        return response

    def _page(
        self, form: Form, *, sent_events: list[SentEvent] | None = None, status: int = 200, is_part: bool = False
    ) -> HttpResponse:
        names = list_producible_names(self.caller)
        if is_part:
            return self.part("dashboard/_send_form.html", form=form, stream_names=names, status=status)
        context = {"form": form, "stream_names": names, "sent_events": sent_events or []}
        return self.whole(self.template, status=status, **context)

    def _like(self, stream: str, source: str) -> dict[str, str]:
        """The values of an event that is there already, to begin with."""
        partition, _, offset = source.partition("/")
        try:
            place = whole_number(partition, "like"), whole_number(offset, "like", low=1)
        except InvalidParameter as error:
            raise EventNotFound("There is no such event.") from error
        info = require_stream(self.caller, stream, Right.CONSUME)
        event = view_event(get_event(info, *place))
        headers = "\n".join(f"{name}: {value}" for name, value in event.headers)
        return {"type": event.type, "key": event.key or "", "headers": headers, "payload": event.payload}


def _envelope(values: dict[str, str]) -> Envelope:
    """Return the event that the form describes; the payload's own bytes, strictly parsed.

    Raises:
        InvalidEvents, InvalidJson, InvalidUnicode, …: what the API says of the same event.
    """
    payload = parse_payload(values["payload"])
    fields: dict[str, Any] = {"payload": None, "type": values["type"].strip() or "event", "key": values["key"] or None}
    fields |= {name: text for name in ("id", "occurred_at") if (text := values[name].strip())}
    fields |= {name: _seconds_or_text(text) for name in TIMES if (text := values[name].strip())}
    if headers := _headers(values["headers"]):
        fields["headers"] = headers
    events, _ = decode_events(orjson.dumps(fields), is_ndjson=False)
    events[0].payload = msgspec.Raw(payload)
    return events[0]


def _seconds_or_text(text: str) -> float | str:
    return float(text) if _seconds.fullmatch(text) else text


def _headers(text: str) -> dict[str, str]:
    headers = {}
    for line in filter(str.strip, text.splitlines()):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise InvalidEvents([EventFault("/headers", "invalid_header", "One header a line, as `name: value`.")])
        headers[name.strip()] = value.strip()
    return headers


def _render(placement: Placement, ranges: Sequence[AppendedRange]) -> bytes:
    stored = stored_events(placement, ranges)[0]
    return orjson.dumps({"partition": stored.partition, "offset": stored.offset, "duplicate": stored.is_repeated})
