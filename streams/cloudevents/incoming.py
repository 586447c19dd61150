"""A CloudEvent becomes an envelope: its attributes are held to the rules, and each gets its place. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple

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
    TIMES,
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
from streams.envelope import Envelope, are_surely_short, faults_of_event
from streams.errors import EventFault, InvalidEvents
from streams.timing import TIME_RULES, Delay, Lifetime

# What must be a String; an extension may be a Boolean or an Integer too.
_TEXTS: Final = frozenset({*REQUIRED, *IN_FIELDS, "subject", "dataschema", "datacontenttype"}) - TIMES.keys()
# The fields of an event, as a CloudEvent calls them.
_NAMES: Final = {
    "key": "partitionkey",
    "occurred_at": "time",
    "payload": "data",
    "headers": "",
    **{field: attribute for attribute, field in TIMES.items()},
}
_FIRST_NAMES = re.compile(rf"\A((?:/\d+)?)/({'|'.join(_NAMES)})(?=/|\Z)")
_LONGEST_NAME: Final = 60
NO_DATA: Final = Raw(b"null")
NOTHING: Final = Envelope(payload=NO_DATA)
_SPECIAL: Final = _TEXTS | CONTEXT | TRACE_ATTRIBUTES | TIMES.keys()
_seconds = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,10})?", re.ASCII)
_TIME_KINDS: Final[dict[str, Any]] = {"deliverafter": Delay, "expiresafter": Lifetime}
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
    if not TIMES.keys().isdisjoint(attributes):
        faults = _set_times(envelope, attributes, pointer)
    return NOTHING if faults else envelope, faults


def _set_times(envelope: Envelope, attributes: Mapping[str, Value], pointer: str) -> list[EventFault]:
    """Give an envelope its times, and return what is wrong with them."""
    faults: list[EventFault] = []
    for name, kind in _TIME_KINDS.items():
        value = attributes.get(name)
        if value is None:
            continue
        is_seconds = type(value) is int or (isinstance(value, str) and _seconds.fullmatch(value))
        try:
            setattr(envelope, TIMES[name], msgspec.convert(float(value) if is_seconds else value, kind))
        except msgspec.ValidationError as error:
            code = "timezone_required" if "timezone" in str(error) else "invalid"
            faults.append(EventFault(f"{pointer}/{name}", code, TIME_RULES[f"/{TIMES[name]}"]))
    return faults


def _headers_of(attributes: Mapping[str, Value], pointer: str) -> tuple[dict[str, str], list[EventFault]]:
    """Return the headers that keep attributes, and what is wrong with the attributes."""
    faults = [
        EventFault(f"{pointer}/{name}", "required", f"`{name}` is required.")
        for name in REQUIRED
        if name not in attributes
    ]
    extensions = [name for name in attributes if name not in _SPECIAL]
    # As `text_of` says it, without a call for each: there may be many.
    texts: list[str] = [
        value if value.__class__ is str else "true" if value is True else "false" if value is False else str(value)
        for value in map(attributes.__getitem__, extensions)
    ]
    kinds = [name for name, value in attributes.items() if value.__class__ is not str and name not in IN_FIELDS]
    are_well_formed = _are_well_formed(extensions, texts)
    headers: dict[str, str] = {}
    for name in [name for name in attributes if name in _SPECIAL] if are_well_formed else attributes:
        value = attributes[name]
        fault = _fault_of(name, value)
        if fault is not None:
            faults.append(EventFault(f"{pointer}/{name[:_LONGEST_NAME]}", *fault))
        elif name not in IN_FIELDS:
            headers[header_of(name)] = text_of(value)
    if are_well_formed:
        headers.update(zip([f"{PREFIX}{name}" for name in extensions], texts, strict=True))
    if kinds:
        headers[TYPED_HEADER] = " ".join(kinds)
    return headers, faults


def _are_well_formed(names: Sequence[str], texts: Sequence[str]) -> bool:
    """Whether nothing is wrong with extensions, of which an event may have many; False: that takes a closer look."""
    all_names, all_texts = "".join(names), "".join(texts)
    return (
        (not names or ("" not in names and is_name(all_names) and OF_THE_LOG.isdisjoint(names)))
        # None is longer than all of them are.
        and len(all_texts) <= MAX_HEADER_BYTES
        and is_text(all_texts)
    )


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
    if name not in _SPECIAL:
        if not is_name(name):
            return "invalid_attribute_name", "The names of attributes are lower-case letters a-z and digits."
        if name in OF_THE_LOG:
            return "reserved_attribute", "Only the log says this of an event; leave it out."
    if name == "specversion":
        if value != SPEC_VERSION:
            return "unsupported_version", f"CloudEvents {SPEC_VERSION} are taken, no others."
        return None
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
    return None


def _faults_of_headers(headers: Mapping[str, str], pointer: str) -> list[EventFault]:
    """An event keeps attributes as headers, of which it has so many of such a size."""
    if len(headers) > MAX_HEADERS:
        detail = (
            f"Attributes that an event has no field for are kept as headers, of which an event has "
            f"at most {MAX_HEADERS}; here they would be {len(headers)}."
        )
        return [EventFault(pointer, "too_many_attributes", detail)]
    if are_surely_short(headers):
        return []
    return [
        EventFault(f"{pointer}/{name.removeprefix('ce-')[:_LONGEST_NAME]}", "too_long_attribute", _too_long(name))
        for name, value in headers.items()
        if len(name.encode()) + len(value.encode()) > MAX_HEADER_BYTES
    ]


def _too_long(name: str) -> str:
    if name == TYPED_HEADER:
        return f"The names of attributes that are no text have at most {MAX_HEADER_BYTES} bytes together."
    return f"It is kept as a header, {name[:_LONGEST_NAME]}, which has at most {MAX_HEADER_BYTES} bytes with its name."


def _fault_of_time(error: msgspec.ValidationError, pointer: str) -> EventFault:
    if "timezone" in str(error):
        return EventFault(f"{pointer}/time", "timezone_required", "A zone is required: 2026-11-22T10:00:00Z.")
    return EventFault(f"{pointer}/time", "invalid", "A time as RFC 3339 writes it: 2026-11-22T10:00:00Z.")
