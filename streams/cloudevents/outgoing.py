"""An event becomes a CloudEvent as JSON, whatever it was when it came. Pure: bytes in, bytes out.

A header `ce-source` becomes the attribute `source`, and so on; one without the prefix becomes an extension where its
name allows that. What would make the CloudEvent invalid is left out: the plain form of the event has it.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Raw

from streams.cloudevents.attributes import (
    ABSENT,
    BASE64,
    CONTEXT,
    DATA_FORM_HEADER,
    IN_FIELDS,
    OF_THE_LOG,
    PREFIX,
    SPEC_VERSION,
    TIMES,
    TYPED_HEADER,
    is_name,
    is_text,
    rule_broken,
    typed,
)
from streams.stored_event import StoredEvent, decode_event

Render = Callable[[bytes], bytes]
# How the log's own stream is called where an event does not say its source.
_SOURCE: Final = "/api/v1/streams/"
_TAKEN: Final = IN_FIELDS | OF_THE_LOG | {"data"}
_MICROSECOND: Final = Decimal("0.000001")
_encoder = msgspec.json.Encoder()
_text = msgspec.json.Decoder(str)


def render_batch(events: Iterable[bytes], *, stream: str) -> bytes:
    """Return events of a stream as a batch of CloudEvents, in their order."""
    return b"[" + b",".join(render_cloudevent(event, stream=stream) for event in events) + b"]"


def render_cloudevent(event: bytes, *, stream: str) -> bytes:
    """Return an event of a stream as a CloudEvent; its data keeps its bytes."""
    stored = decode_event(event)
    return _encoder.encode(attributes_of(stored, stream=stream) | _data_of(stored))


def attributes_of(stored: StoredEvent, *, stream: str) -> dict[str, Any]:
    """Return all that a CloudEvent says of an event, but its data: values as JSON has them, and times."""
    attributes: dict[str, Any] = {
        "specversion": SPEC_VERSION,
        "id": stored.id,
        "source": f"{_SOURCE}{stream}",
        "type": stored.type,
    }
    if stored.occurred_at is not None:
        attributes["time"] = stored.occurred_at
    if stored.key is not None and is_text(stored.key):
        attributes["partitionkey"] = stored.key
    attributes |= {name: _time(value) for name, field in TIMES.items() if (value := getattr(stored, field)) is not None}
    attributes["recordedtime"] = stored.recorded_at
    attributes |= _from_headers(stored.headers)
    attributes |= {"stream": stream, "partition": stored.partition, "offset": str(stored.offset)}
    attributes |= _marks_of(stored)
    return attributes


def _from_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the attributes among an event's headers; one with the prefix goes before one without."""
    kinds = frozenset(headers.get(TYPED_HEADER, "").split(" "))
    found: dict[str, Any] = {}
    for header, value in headers.items():
        name = header.removeprefix(PREFIX)
        if not is_name(name) or name in _TAKEN or not is_text(value) or rule_broken(name, value):
            continue
        if header == name and (name in CONTEXT or f"{PREFIX}{name}" in headers):
            continue
        found[name] = typed(value) if name in kinds else value
    return found


def _time(value: datetime | float) -> datetime | int | str:
    """A time, or seconds; a fraction of one as text, since CloudEvents have no such numbers."""
    if isinstance(value, datetime):
        return value
    return int(value) if value == int(value) else str(Decimal(repr(value)).quantize(_MICROSECOND).normalize())


def _marks_of(stored: StoredEvent) -> dict[str, Any]:
    """What the log says beside what the producer said."""
    marks: dict[str, Any] = {}
    if stored.schema is not None:
        marks |= {"schemaversion": stored.schema.version, "schemavalid": stored.schema.valid}
    if stored.edited is not None:
        marks |= {
            "editedby": stored.edited.by,
            "editedtime": stored.edited.at,
            "originalsha256": stored.edited.original_payload_sha256,
        }
    if stored.erased is not None:
        marks["erasedtime"] = stored.erased.at
        if stored.erased.bytes is not None:
            marks["erasedbytes"] = stored.erased.bytes
    return marks


def _data_of(stored: StoredEvent) -> dict[str, Raw]:
    if has_no_data(stored):
        return {}
    return {"data" if binary_data_of(stored) is None else "data_base64": stored.payload}


def has_no_data(stored: StoredEvent) -> bool:
    """Whether the CloudEvent is one without data: it came so, or was erased."""
    came_without = stored.headers.get(DATA_FORM_HEADER) == ABSENT and bytes(stored.payload) == b"null"
    return stored.erased is not None or came_without


def binary_data_of(stored: StoredEvent) -> bytes | None:
    """Return the data that is no JSON, and is kept as base64; None: it is JSON."""
    # A redrive may have another payload, and a header may say what it likes.
    if stored.headers.get(DATA_FORM_HEADER) != BASE64:
        return None
    try:
        return b64decode(_text.decode(stored.payload), validate=True)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return None
