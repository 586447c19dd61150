"""Records of a topic that others write, as records of events. Pure: bytes in, bytes out.

What is what, the first that fits:

1. The value is a record of ours, an object with `id`, `type` and `payload` and nothing that an event has not.
2. A CloudEvent, structured (`content-type: application/cloudevents+json`) or binary (headers that begin with `ce_`).
3. Anything else: the value is the payload if it is JSON, and otherwise its base64, marked as CloudEvents' data is
   (`ce-data: base64`). A tombstone has `null`, and `ce-data: absent`. Its type is `event`, and its id says where it is.

Headers are kept as text; those that are none as base64, with `.base64` behind their names. So nothing is left out.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, Raw

from accounts.errors import DomainError
from accounts.http.strict_json import check_syntax, check_text, exceeds_depth
from streams.cloudevents.attributes import ABSENT, BASE64, DATA_FORM_HEADER, is_json_type
from streams.cloudevents.incoming import NO_DATA, Data, make_envelope
from streams.cloudevents.structured import decode_structured
from streams.conf import MAX_KEY_BYTES
from streams.envelope import Envelope, faults_of_event
from streams.stored_event import SchemaMark, mark_invalid

_CLOUDEVENT_PREFIX: Final = "ce_"
_STRUCTURED: Final = "application/cloudevents+json"
_CONTENT_TYPE: Final = "content-type"
_OURS: Final = frozenset({"ef-req"})


class ForeignRecord(NamedTuple):
    """What somebody wrote to a topic.

    Attributes:
        headers: names and values, in their order; a name may come again, and the last one counts.
        place: what is unique to it, as its id where it has none.
    """

    value: bytes | None
    key: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    place: str


class _Own(Envelope, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A record of ours: an envelope, and what the log may have added to it."""

    schema: SchemaMark | None = None


_own = msgspec.json.Decoder(_Own)
_encoder = msgspec.json.Encoder()


def record_of(foreign: ForeignRecord) -> bytes:
    """Return the record that a foreign one is shown as: a JSON object on one line."""
    if (own := _as_own(foreign.value)) is not None:
        return own
    envelope = _as_cloudevent(foreign) or _as_plain(foreign)
    return _encode(envelope)


def _as_own(value: bytes | None) -> bytes | None:
    if value is None or value[:1] != b"{" or b'"payload"' not in value:
        return None
    try:
        check_text(value)
        own = _own.decode(value)
    except (msgspec.DecodeError, RecursionError, DomainError):
        return None
    if own.id is UNSET or own.stream is not UNSET or b'"type"' not in value or not _is_good(own):
        return None
    mark, own.schema = own.schema, None
    fields = {name: getattr(own, name) for name in Envelope.__struct_fields__}
    record = _encode(Envelope(**fields))
    return record if mark is None or mark.valid else mark_invalid(record, version=mark.version)


def _is_good(envelope: Envelope) -> bool:
    return not faults_of_event(envelope, "") and not exceeds_depth(bytes(envelope.payload))


def _as_cloudevent(foreign: ForeignRecord) -> Envelope | None:
    headers = {name.lower(): value for name, value in foreign.headers if value is not None}
    try:
        content_type = headers.get(_CONTENT_TYPE, b"").decode()
        attributes = {
            name.removeprefix(_CLOUDEVENT_PREFIX): value.decode()
            for name, value in headers.items()
            if name.startswith(_CLOUDEVENT_PREFIX)
        }
        if content_type.startswith(_STRUCTURED) and foreign.value is not None:
            [envelope], _ = decode_structured(foreign.value)
        elif "specversion" in attributes:
            if content_type:
                attributes["datacontenttype"] = content_type
            envelope, faults = make_envelope(attributes, _data_of(foreign.value, content_type), "")
            if faults:
                return None
        else:
            return None
    except (UnicodeDecodeError, DomainError):
        return None
    plain = [each for each in foreign.headers if not each[0].lower().startswith(_CLOUDEVENT_PREFIX)]
    rest = [each for each in plain if each[0].lower() != _CONTENT_TYPE]
    envelope.headers = {**_texts(rest), **(envelope.headers or {})}
    envelope.stream = UNSET
    if envelope.key is None:
        _give_key(envelope, foreign.key)
    return envelope if not [each for each in faults_of_event(envelope, "") if each.pointer != "/headers"] else None


def _data_of(value: bytes | None, content_type: str) -> Data:
    if value is None:
        return Data(NO_DATA, ABSENT)
    if (not content_type or is_json_type(content_type)) and (payload := _json_of(value)) is not None:
        return Data(payload)
    return Data(_base64(value), BASE64)


def _as_plain(foreign: ForeignRecord) -> Envelope:
    payload, form = NO_DATA, ABSENT
    if foreign.value is not None:
        found = _json_of(foreign.value)
        payload, form = (found, "") if found is not None else (_base64(foreign.value), BASE64)
    headers = _texts(foreign.headers)
    headers.pop(DATA_FORM_HEADER, None)
    if form:
        headers[DATA_FORM_HEADER] = form
    envelope = Envelope(payload=payload, headers=headers)
    envelope.id = foreign.place
    _give_key(envelope, foreign.key)
    return envelope


def _give_key(envelope: Envelope, key: bytes | None) -> None:
    """Take the record's key as the event's, if it may be one; else as a header."""
    if not key:
        return
    try:
        text = key.decode()
    except UnicodeDecodeError:
        text = ""
    if text and len(key) <= MAX_KEY_BYTES:
        envelope.key = text
    else:
        envelope.headers = {**(envelope.headers or {}), "kafka-key.base64": b64encode(key).decode()}


def _texts(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    found = {}
    for name, value in headers:
        if name in _OURS:
            continue
        try:
            found[name] = (value or b"").decode()
        except UnicodeDecodeError:
            found[f"{name}.base64"] = b64encode(value or b"").decode()
    return found


def _json_of(value: bytes) -> Raw | None:
    """Return a value as a payload, if it is strict JSON."""
    try:
        check_text(value)
        check_syntax(value)
    except DomainError:
        return None
    return None if exceeds_depth(value) else Raw(value.strip(b" \t\r\n"))


def _base64(value: bytes) -> Raw:
    return Raw(b'"%b"' % b64encode(value))


def _encode(envelope: Envelope) -> bytes:
    payload = bytes(envelope.payload)
    if b"\n" in payload or b"\r" in payload:
        envelope.payload = Raw(msgspec.json.format(payload, indent=-1))
    envelope.headers = envelope.headers or {}
    return _encoder.encode(envelope)
