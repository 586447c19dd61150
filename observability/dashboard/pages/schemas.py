"""The schemas of a stream's events: which there are, what a version changed, and a new one, tried before it counts."""

import difflib
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from rest_framework.exceptions import ValidationError

from accounts.errors import DomainError
from accounts.permissions import MayManage
from accounts.roles import Right
from observability.dashboard.forms import Form
from observability.dashboard.once import once
from observability.dashboard.page import Page, Toast
from observability.dashboard.payloads import parse_payload
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.stream_pages import describe_stream
from streams.bodies import RegisterSchemaSerializer
from streams.conf import MAX_CHECKED_EVENTS
from streams.errors import IncompatibleSchema, InvalidSchema
from streams.models import EventSchema, Stream
from streams.queries import get_stream
from streams.schemas.compatibility import Compatibility
from streams.services.schemas import check_proposed, find_latest, find_schema, propose_schema, register_schema

SHOWN_TYPES: Final = 200
SHOWN_VERSIONS: Final = 50
SHOWN_MISFITS: Final = 10
# As the API reads a number: one beyond all is refused with the rest of what is wrong.
_values: Final = msgspec.json.Decoder(float_hook=float)
COMPATIBILITIES: Final = (
    ("forward", "forward: who knows the version before can read what comes"),
    ("backward", "backward: who knows the new one can read what is stored"),
    ("full", "full: both"),
    ("none", "none: nothing is compared"),
)


class StreamSchemas(Page):
    """The types that have a schema, and how many payloads did not fit."""

    section = "streams"
    template = "dashboard/stream_schemas.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream)
        latest = row.schemas.order_by("type", "-version").distinct("type")[: SHOWN_TYPES + 1]
        return self.whole(
            self.template,
            stream=describe_stream(self.caller, stream),
            tab="schemas",
            validation=row.validation,
            schemas=latest[:SHOWN_TYPES],
            is_cut=len(latest) > SHOWN_TYPES,
        )


class OneSchema(Page):
    """One version of the schema of a type, the others, and what this one changed."""

    section = "streams"
    template = "dashboard/stream_schema.html"

    def get(self, request: HttpRequest, stream: str, type: str) -> HttpResponse:  # noqa: A002 - the field's name
        row = get_stream(self.caller, stream)
        wanted = request.GET.get("version", "")
        is_number = wanted.isascii() and wanted.isdecimal() and len(wanted) <= 9
        schema = find_schema(row, type.replace("\x00", "\ufffd"), int(wanted) if is_number else None)
        before = row.schemas.filter(type=schema.type, version=schema.version - 1).first()
        return self.whole(
            self.template,
            stream=describe_stream(self.caller, stream),
            tab="schemas",
            schema=schema,
            document=_pretty(schema),
            versions=row.schemas.filter(type=schema.type).order_by("-version")[:SHOWN_VERSIONS],
            difference=_difference(before, schema) if before else [],
        )


class NewSchema(Page):
    """A schema being written: proposed from what is stored, tried on it, and registered."""

    section = "streams"
    permission_classes = (MayManage,)
    template = "dashboard/stream_schema_new.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        type_ = request.GET.get("type", "").replace("\x00", "\ufffd")
        latest = find_latest(row, type_)
        values = {
            "type": type_,
            "schema": _pretty(latest) if latest else "",
            "compatibility": latest.compatibility if latest else Compatibility.FORWARD.value,
        }
        return self.whole(self.template, **self._context(row, Form(values)))

    def post(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        values = request.POST.dict()
        try:
            if values.get("act") == "propose":
                return self._propose(row, values)
            given = _given(values)
            if values.get("act") == "try":
                return self._try(row, values, given)
            return self._register(request, row=row, given=given)
        except (DomainError, ValidationError) as error:
            form = Form(values, _faults_of(error, request))
            return self.form_again("dashboard/_schema_form.html", self.template, **self._context(row, form))

    @once()
    def _register(self, request: HttpRequest, *, row: Stream, given: dict[str, Any]) -> HttpResponse:
        schema, is_new = register_schema(
            caller=self.caller,
            stream=row,
            type_=given["type"],
            document=given["schema"],
            compatibility=Compatibility(given["compatibility"]),
        )
        said = f"Version {schema.version} counts now" if is_new else f"It is version {schema.version} already"
        return self.done(Toast("good", said), to=reverse("stream-schema", args=[row.name, schema.type]))

    def _try(self, row: Stream, values: Mapping[str, str], given: dict[str, Any]) -> HttpResponse:
        readable = get_stream(self.caller, row.name, Right.CONSUME)
        found = check_proposed(
            stream=readable,
            type_=given["type"],
            document=given["schema"],
            compatibility=Compatibility(given["compatibility"]),
            last=MAX_CHECKED_EVENTS,
        )
        return self._again(row, Form(values), found=found, misfits=found.misfits[:SHOWN_MISFITS])

    def _propose(self, row: Stream, values: dict[str, str]) -> HttpResponse:
        readable = get_stream(self.caller, row.name, Right.CONSUME)
        type_ = RegisterSchemaSerializer.checked({"type": values.get("type", ""), "schema": True}).validated_data[
            "type"
        ]
        document, count = propose_schema(stream=readable, type_=type_, last=MAX_CHECKED_EVENTS)
        text = json.dumps(document, indent=2, ensure_ascii=False)
        return self._again(row, Form({**values, "schema": text}), proposed_from=count)

    def _again(self, row: Stream, form: Form, **further: Any) -> HttpResponse:
        context = self._context(row, form) | further
        if self.is_part("schema-form"):
            return self.part("dashboard/_schema_form.html", **context)
        return self.whole(self.template, **context)

    def _context(self, row: Stream, form: Form) -> dict[str, Any]:
        heading = describe_stream(self.caller, row.name)
        return {"stream": heading, "tab": "schemas", "form": form, "compatibilities": COMPATIBILITIES}


def _given(values: Mapping[str, str]) -> dict[str, Any]:
    """What the form says, in the shape of the API's body.

    Raises:
        ValidationError
    """
    try:
        document = _values.decode(parse_payload(values.get("schema", "")))
    except DomainError as error:
        raise ValidationError({"schema": f"This is not JSON: {error.detail}"}) from error
    given = {
        "type": values.get("type", "").strip(),
        "schema": document,
        "compatibility": values.get("compatibility", Compatibility.FORWARD.value),
    }
    checked: dict[str, Any] = RegisterSchemaSerializer.checked(given).validated_data
    return checked


def _faults_of(error: DomainError | ValidationError, request: HttpRequest) -> dict[str, str]:
    """Say at which field what is wrong; of a schema also where in it."""
    if isinstance(error, InvalidSchema | IncompatibleSchema):
        return {"schema": "\n".join(f"{fault.pointer or 'As a whole'}: {fault.detail}" for fault in error.faults[:20])}
    problem = problem_of(error, request)
    faults = {pointer.removeprefix("/"): detail for pointer, detail in problem.faults}
    return faults or {"type": problem.detail}


def _pretty(schema: EventSchema) -> str:
    return json.dumps(json.loads(schema.document), indent=2, ensure_ascii=False)


def _difference(before: EventSchema, after: EventSchema) -> list[str]:
    """The lines that changed, with some around them, each begun by a blank, a plus or a minus."""
    lines = difflib.unified_diff(_pretty(before).split("\n"), _pretty(after).split("\n"), lineterm="", n=3)
    return [line for line in lines if not line.startswith(("---", "+++"))]
