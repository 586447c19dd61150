"""CloudEvents as JSON, one or a batch of them: `application/cloudevents+json`, `application/cloudevents-batch+json`."""

import binascii
from base64 import b64decode
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from accounts.conf import MAX_FAULTS
from accounts.errors import ExpectedObject
from accounts.http.strict_json import check_syntax, check_text, explain_decode_error
from streams.cloudevents.attributes import ABSENT, BASE64, MAX_INTEGER, MIN_INTEGER, Value
from streams.cloudevents.incoming import NO_DATA, NOTHING, Data, faults_of_fields, make_envelope, refuse
from streams.conf import MAX_HEADER_BYTES, MAX_HEADERS
from streams.envelope import Envelope, split_array
from streams.errors import EventFault

# More than all the attributes that an event can keep, however they are written: each letter may be an escape.
_MAX_ATTRIBUTE_BYTES: Final = 6 * MAX_HEADERS * MAX_HEADER_BYTES
_MAX_ATTRIBUTES: Final = 2 * MAX_HEADERS
# Not much can be in so short an event: all of it is decoded at once.
_SHORT_BYTES: Final = 4096
_KINDS: Final = frozenset({str, bool, int})
_KINDS_OR_UNSET: Final = _KINDS | {type(None)}
_BASE64_RULE: Final = "Base64 as RFC 4648 writes it, with its padding."
_VALUE_RULE: Final = f"Text, true, false, or a whole number from {MIN_INTEGER} to {MAX_INTEGER}."


class _Members(msgspec.Struct, gc=False):
    """The members that are no attributes. The others are passed by, so that they take no memory."""

    data: Raw | UnsetType = UNSET
    data_base64: Raw | UnsetType = UNSET


_members = msgspec.json.Decoder(_Members)
_fields = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)
# A float is none of them, but tells 1.0 from 1.
_value = msgspec.json.Decoder(str | int | float | bool | None)
_Integer = Annotated[int, Meta(ge=MIN_INTEGER, le=MAX_INTEGER)]
# Of data that is a list or an object no more is made than its first level.
_short = msgspec.json.Decoder(dict[str, str | _Integer | float | bool | list[Raw] | dict[str, Raw] | None])


def decode_structured(body: bytes) -> tuple[list[Envelope], bool]:
    """Return the one CloudEvent of a body, as an envelope in a list, and that it is single.

    Raises:
        InvalidUtf8, InvalidUnicode, InvalidJson, ExpectedObject: it is not JSON of the right kind.
        InvalidEvents: it is no CloudEvent; what is wrong is named.
    """
    check_text(body)
    if body.lstrip()[:1] != b"{":
        check_syntax(body)
        raise ExpectedObject("A CloudEvent is a JSON object; several are application/cloudevents-batch+json.")
    envelope, faults = _read(body, "")
    refuse(faults)
    return [envelope], True


def decode_batch(body: bytes) -> tuple[list[Envelope], bool]:
    """Return the CloudEvents of a body as envelopes, and that they are no single one; a batch may be empty.

    Raises:
        InvalidUtf8, InvalidUnicode, InvalidJson, ExpectedObject: it is not JSON of the right kind.
        PayloadTooLarge: too many events.
        InvalidEvents: some items are no CloudEvents; each is named.
    """
    check_text(body)
    if body.lstrip()[:1] != b"[":
        check_syntax(body)
        raise ExpectedObject("A batch of CloudEvents is a JSON array; one alone is application/cloudevents+json.")
    envelopes: list[Envelope] = []
    faults: list[EventFault] = []
    for index, item in enumerate(split_array(body)):
        envelope, wrong = _read(item, f"/{index}")
        envelopes.append(envelope)
        faults += wrong
        if len(faults) >= MAX_FAULTS:
            break
    if faults:
        # Tell it all at once; otherwise these are looked for when the events become records.
        for index, envelope in enumerate(envelopes):
            if envelope is not NOTHING:
                faults += faults_of_fields(envelope, f"/{index}")
    refuse(faults)
    return envelopes, False


def _read(item: bytes, pointer: str) -> tuple[Envelope, list[EventFault]]:
    """Return an item as an envelope, and all that is wrong with it; an envelope with faults is of no use."""
    try:
        return _read_object(item, pointer)
    except msgspec.ValidationError:
        return NOTHING, [EventFault(pointer, "expected_object", "A CloudEvent is a JSON object.")]
    except (msgspec.DecodeError, RecursionError) as error:
        raise explain_decode_error(error, item) from error


def _read_object(item: bytes, pointer: str) -> tuple[Envelope, list[EventFault]]:
    members = _members.decode(item)
    size = len(item) - _size(members.data) - _size(members.data_base64)
    if size > _MAX_ATTRIBUTE_BYTES:
        detail = f"All but the data may have at most {_MAX_ATTRIBUTE_BYTES} bytes; here it has {size}."
        return NOTHING, [EventFault(pointer, "too_long_attribute", detail)]
    data, faults = _data_of(members, pointer)
    attributes = _attributes_of_short(item) if len(item) <= _SHORT_BYTES else None
    if attributes is None:
        fields = _fields.decode(item)
        fields.pop("data", None)
        fields.pop("data_base64", None)
        if len(fields) > _MAX_ATTRIBUTES:
            detail = f"A CloudEvent may have at most {_MAX_ATTRIBUTES} attributes; this one has {len(fields)}."
            return NOTHING, [EventFault(pointer, "too_many_attributes", detail)]
        attributes, wrong = _attributes_of(fields, pointer)
        faults += wrong
    envelope, wrong = make_envelope(attributes, data, pointer)
    if not faults:
        return envelope, wrong
    named = {fault.pointer for fault in faults}
    return envelope, [*faults, *(fault for fault in wrong if fault.pointer not in named)]


def _attributes_of_short(item: bytes) -> dict[str, Any] | None:
    """Return the attributes that are set; None: something is wrong with them, and what that is takes a closer look."""
    try:
        found = _short.decode(item)
    except msgspec.ValidationError:
        return None
    found.pop("data", None)
    found.pop("data_base64", None)
    kinds = set(map(type, found.values()))
    if len(found) > _MAX_ATTRIBUTES or not kinds <= _KINDS_OR_UNSET:
        return None
    return found if kinds <= _KINDS else {name: value for name, value in found.items() if value is not None}


def _attributes_of(fields: dict[str, Raw], pointer: str) -> tuple[dict[str, Value], list[EventFault]]:
    """Return the attributes that are set, and which of them are no values."""
    faults: list[EventFault] = []
    attributes: dict[str, Value] = {}
    for name, raw in fields.items():
        try:
            value = _value.decode(raw)
        except msgspec.ValidationError:
            value = ...
        kind = type(value)
        if kind is str or kind is bool or (kind is int and MIN_INTEGER <= value <= MAX_INTEGER):
            attributes[name] = value
        elif value is not None:
            faults.append(EventFault(f"{pointer}/{name[:60]}", "invalid", _VALUE_RULE))
            # It is there, though not as it should be.
            attributes[name] = ""
    return attributes, faults


def _size(raw: Raw | UnsetType) -> int:
    return 0 if raw is UNSET else len(bytes(raw))


def _data_of(members: _Members, pointer: str) -> tuple[Data, list[EventFault]]:
    data, packed = members.data, members.data_base64
    # What is null is not set; `data` alone may be null and mean it.
    if packed is UNSET or bytes(packed) == b"null":
        return (Data(NO_DATA, ABSENT) if data is UNSET else Data(data)), []
    if data is not UNSET:
        return Data(data), [EventFault(f"{pointer}/data_base64", "invalid", "Give `data` or `data_base64`, not both.")]
    try:
        text = _text.decode(packed)
        b64decode(text.encode("ascii"), validate=True)
    except (msgspec.ValidationError, UnicodeEncodeError, binascii.Error):
        return Data(packed), [EventFault(f"{pointer}/data_base64", "invalid", _BASE64_RULE)]
    return Data(packed, BASE64), []
