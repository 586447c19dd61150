"""A CloudEvent becomes an envelope: its attributes are held to the rules, and each gets its place. Pure."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta, Raw

from streams.cloudevents.attributes import (
    CONTEXT,
    DATA_FORM_HEADER,
    IN_FIELDS,
    OF_THE_LOG,
    PREFIX,
    REQUIRED,
    SPEC_VERSION,
    TRACE_ATTRIBUTES,
    TYPED_HEADER,
    Value,
    header_of,
    is_name,
    is_text,
    rule_broken,
    text_of,
)
from streams.conf import MAX_HEADER_BYTES, MAX_HEADERS, MAX_ID_CHARACTERS, MAX_KEY_BYTES, MAX_TYPE_CHARACTERS
from streams.envelope import Envelope, faults_of_event
from streams.errors import EventFault, InvalidEvents

# What must be a String; an extension may be a Boolean or an Integer too.
_TEXTS: Final = frozenset({*REQUIRED, *IN_FIELDS, "subject", "dataschema", "datacontenttype"})
# The fields of an event, as a CloudEvent calls them.
_NAMES: Final = {"key": "partitionkey", "occurred_at": "time", "payload": "data", "headers": ""}
_FIRST_NAMES = re.compile(rf"\A((?:/\d+)?)/({'|'.join(_NAMES)})(?=/|\Z)")
_LONGEST_NAME: Final = 60
NO_DATA: Final = Raw(b"null")
NOTHING: Final = Envelope(payload=NO_DATA)
# No character takes more than four bytes.
_SURELY_SHORT: Final = MAX_HEADER_BYTES // 4
_SPECIAL: Final = _TEXTS | CONTEXT | TRACE_ATTRIBUTES
# Extensions that were found well named: producers have few, and send them again and again.
_known_names: set[str] = set()
_MAX_KNOWN_NAMES: Final = 10_000
_Time = Annotated[datetime, Meta(tz=True)]
_TYPE_RULE: Final = (
    f"Here a type is 1 to {MAX_TYPE_CHARACTERS} of A-Z a-z 0-9 . _ : / + -, beginning with a letter or digit: "
    "com.example.order.created. CloudEvents allow more."
)


class Data(NamedTuple):
    """What a CloudEvent is about, as JSON, and how to give it back: its `form` is empty, `absent` or `base64`."""

    payload: Raw
    form: str = ""


def make_envelope(attributes: Mapping[str, Value], data: Data, pointer: str) -> tuple[Envelope, list[EventFault]]:
    """Return the envelope of a CloudEvent, and what is wrong with it that only CloudEvents can have wrong.

    What any event may have wrong is found when it becomes a record, or by `faults_of_fields`. With faults the envelope
    is of no use, and `NOTHING`.

    Args:
        attributes: those that are set, by name.
        pointer: to the CloudEvent; faults point to its attributes.
    """
    headers, faults = _headers_of(attributes, pointer)
    if data.form:
        headers[DATA_FORM_HEADER] = data.form
    faults += _faults_of_headers(headers, pointer)
    if faults:
        return NOTHING, faults
    envelope = Envelope(payload=data.payload, headers=headers)
    envelope.id, envelope.type = str(attributes["id"]), str(attributes["type"])
    if (stream := attributes.get("stream")) is not None:
        envelope.stream = str(stream)
    if (key := attributes.get("partitionkey")) is not None:
        envelope.key = str(key)
    if (time := attributes.get("time")) is not None:
        try:
            envelope.occurred_at = msgspec.convert(time, _Time)
        except msgspec.ValidationError as error:
            return NOTHING, [_fault_of_time(error, pointer)]
    return envelope, []


def _headers_of(attributes: Mapping[str, Value], pointer: str) -> tuple[dict[str, str], list[EventFault]]:
    """Return the headers that keep attributes, and what is wrong with the attributes."""
    headers: dict[str, str] = {}
    kinds: list[str] = []
    faults = [
        EventFault(f"{pointer}/{name}", "required", f"`{name}` is required.")
        for name in REQUIRED
        if name not in attributes
    ]
    for name, value in attributes.items():
        if not isinstance(value, str):
            kinds.append(name)
            if name in _known_names:
                headers[f"{PREFIX}{name}"] = text_of(value)
                continue
        elif name in _known_names and len(value) <= _SURELY_SHORT and value.isascii() and value.isprintable():
            headers[f"{PREFIX}{name}"] = value
            continue
        fault = _fault_of(name, value)
        if fault is not None:
            faults.append(EventFault(f"{pointer}/{name[:_LONGEST_NAME]}", *fault))
        elif name not in IN_FIELDS:
            headers[header_of(name)] = text_of(value)
    if kinds:
        headers[TYPED_HEADER] = " ".join(kinds)
    return headers, faults


def faults_of_fields(envelope: Envelope, pointer: str) -> list[EventFault]:
    """Return what is wrong with an envelope that any event may have wrong, in the words of CloudEvents."""
    return [in_cloudevents(fault) for fault in faults_of_event(envelope, pointer)]


def refuse(faults: list[EventFault]) -> None:
    """Refuse CloudEvents with faults.

    Raises:
        InvalidEvents
    """
    if faults:
        raise InvalidEvents(faults)


def in_cloudevents(fault: EventFault) -> EventFault:
    """Return a fault of an event with the CloudEvent's names in its pointer: `/0/payload/total` is `/0/data/total`."""
    pointer = _FIRST_NAMES.sub(lambda found: f"{found[1]}/{_NAMES[found[2]]}".rstrip("/"), fault.pointer, count=1)
    detail = _TYPE_RULE if fault.code == "invalid_type" else fault.detail
    return replace(fault, pointer=pointer, detail=detail)


def _fault_of(name: str, value: Value) -> tuple[str, str] | None:
    """Return the code and the words of what is wrong with one attribute."""
    if not is_name(name):
        return "invalid_attribute_name", "The names of attributes are lower-case letters a-z and digits."
    if name in OF_THE_LOG:
        return "reserved_attribute", "Only the log says this of an event; leave it out."
    if name == "specversion" and value != SPEC_VERSION:
        return "unsupported_version", f"CloudEvents {SPEC_VERSION} are taken, no others."
    if not isinstance(value, str):
        return ("invalid", "Must be text.") if name in _TEXTS else None
    if len(value) > MAX_HEADER_BYTES:
        # Nothing that is so long is looked at.
        return "too_long_attribute", f"At most {MAX_HEADER_BYTES} bytes."
    if not is_text(value):
        return "invalid_text", "Must not have control characters, nor what Unicode says is no character."
    if words := rule_broken(name, value):
        return "invalid", words
    if name == "id" and not 1 <= len(value) <= MAX_ID_CHARACTERS:
        return "invalid", f"1 to {MAX_ID_CHARACTERS} characters."
    if name == "partitionkey" and not value:
        return "invalid", f"1 to {MAX_KEY_BYTES} bytes in UTF-8; leave it out instead."
    if name not in _SPECIAL and len(name) <= _LONGEST_NAME and len(_known_names) < _MAX_KNOWN_NAMES:
        _known_names.add(name)
    return None


def _faults_of_headers(headers: Mapping[str, str], pointer: str) -> list[EventFault]:
    """An event keeps attributes as headers, of which it has so many of such a size."""
    if len(headers) > MAX_HEADERS:
        detail = (
            f"Attributes beside id, type, time, partitionkey and stream are kept as headers, of which an event has "
            f"at most {MAX_HEADERS}; here they would be {len(headers)}."
        )
        return [EventFault(pointer, "too_many_attributes", detail)]
    return [
        EventFault(f"{pointer}/{name.removeprefix('ce-')[:_LONGEST_NAME]}", "too_long_attribute", _too_long(name))
        for name, value in headers.items()
        if len(name) + len(value) > _SURELY_SHORT and len(name.encode()) + len(value.encode()) > MAX_HEADER_BYTES
    ]


def _too_long(name: str) -> str:
    if name == TYPED_HEADER:
        return f"The names of attributes that are no text have at most {MAX_HEADER_BYTES} bytes together."
    return f"It is kept as a header, {name[:_LONGEST_NAME]}, which has at most {MAX_HEADER_BYTES} bytes with its name."


def _fault_of_time(error: msgspec.ValidationError, pointer: str) -> EventFault:
    if "timezone" in str(error):
        return EventFault(f"{pointer}/time", "timezone_required", "A zone is required: 2026-11-22T10:00:00Z.")
    return EventFault(f"{pointer}/time", "invalid", "A time as RFC 3339 writes it: 2026-11-22T10:00:00Z.")
