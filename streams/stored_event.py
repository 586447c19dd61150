"""How a stored event looks: the one place that knows its bytes. Pure: bytes in, plain values out.

The log gives out an event as its record, as the producer's envelope became it, with its place in front:
`{"partition":…,"offset":…,"recorded_at":…,"id":…,"type":…,"key":…,"occurred_at":…,"headers":…,"payload":…}`.
One that is for later or expires says so before its headers: `"deliver_after":30,"expires_after":60,`.
Consumers get it as it is. One whose payload did not fit its schema says so behind it, `"schema":{"version":3,…}`; a
redrive with another payload says `"edited":…`, at its end. One whose payload was erased has neither payload nor
headers, and says so at its end: `…,"headers":{},"payload":null,"erased":{…}}`. Whoever goes through many events looks
for single fields without decoding the others.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from streams.times import format_time
from streams.timing import due_at, expires_at

_TIME_NAME: Final = b'"recorded_at":"'
# 2026-11-22T10:00 of 2026-11-22T10:00:00.123456Z
_MINUTE_LENGTH: Final = len("2026-11-22T10:00")
_TIME_END: Final = len('"recorded_at":"2026-11-22T10:00:00.123456Z",')
_PLACE: Final = re.compile(rb'\{"partition":(\d+),"offset":(\d+),')
# A quote inside an id is escaped, so this stands nowhere before the type. A type has neither quotes nor escapes.
_TYPE_NAME: Final = b'","type":"'
# The end of an erased event, and of no other: with its quotes and braces closed, nothing in a payload can look so.
_ERASED: Final = re.compile(
    rb',"payload":null,"erased":\{(?:"bytes":(\d{1,10}),)?"at":"[-0-9T:.]{26}Z"\}\}\Z', re.ASCII
)
_ERASED_LENGTH: Final = len(',"payload":null,"erased":{"bytes":1234567890,"at":"2026-11-22T10:00:00.123456Z"}}')
# Few events that were not erased have this there, so that looking costs next to nothing.
_ERASED_HINT: Final = b'"at":"'
_ERASED_HINT_AT: Final = slice(-len('"at":"2026-11-22T10:00:00.123456Z"}}'), -len('2026-11-22T10:00:00.123456Z"}}'))


class NotAnEvent(ValueError):
    """These bytes are no event; the words say why."""


class Edit(msgspec.Struct, gc=False):
    """Who replaced an event's payload, and when; and what tells whether somebody else's copy is the first payload."""

    by: str
    at: str
    original_payload_sha256: str


class SchemaMark(msgspec.Struct, gc=False):
    """That an event's payload was held to a version of its type's schema, and was not as that says."""

    version: int
    valid: bool = False


class Erasure(msgspec.Struct, gc=False):
    """When an event's payload and headers were erased, and how large its record had been.

    An event that came out of an export was erased elsewhere: of what size it was there, nobody knows here.
    """

    at: datetime
    bytes: int | None = None


class StoredEvent(msgspec.Struct, gc=False):
    """An event, decoded for people. `payload` is what was sent, byte by byte."""

    partition: int
    offset: int
    recorded_at: datetime
    id: str
    type: str
    key: str | None
    occurred_at: datetime | None
    headers: dict[str, str]
    payload: Raw
    # As they were given: a time, or seconds from `recorded_at`.
    deliver_after: datetime | float | None = None
    expires_after: float | None = None
    # There only if it does not fit.
    schema: SchemaMark | None = None
    # Of a redrive alone: the log has none.
    edited: Edit | None = None
    erased: Erasure | None = None

    @property
    def payload_text(self) -> str:
        return bytes(self.payload).decode()

    @property
    def due_at(self) -> datetime | None:
        """From when on lease mode hands it out; None: at once."""
        return due_at(self.recorded_at, self.deliver_after)

    @property
    def expires_at(self) -> datetime | None:
        """From when on lease mode hands it out no more; None: it always does."""
        return expires_at(self.recorded_at, self.expires_after)


class ExportedEvent(msgspec.Struct, gc=False):
    """An event that was taken out and is put in again: offset and time are given anew, what is empty may be missing."""

    partition: int
    id: str
    type: str
    payload: Raw
    key: str | None = None
    occurred_at: datetime | None = None
    headers: dict[str, str] | None = None
    recorded_at: datetime | None = None
    deliver_after: datetime | float | None = None
    expires_after: float | None = None
    schema: SchemaMark | None = None
    erased: Erasure | None = None


class Outline(msgspec.Struct, gc=False):
    """What people look for an event by; the rest is passed by."""

    id: str = ""
    type: str = ""
    key: str | None = None
    payload: Raw = Raw(b"null")


class _Edited(msgspec.Struct, gc=False):
    payload: Raw
    edited: Edit | None = None


class _Type(msgspec.Struct, gc=False):
    type: str


class _Trace(msgspec.Struct, gc=False):
    traceparent: str = ""


class Routing(msgspec.Struct, gc=False):
    """What decides whether an event is handed out, and when. Seconds count from when it was recorded."""

    recorded_at: datetime
    type: str
    key: str | None = None
    headers: dict[str, str] = {}
    deliver_after: datetime | float | None = None
    expires_after: float | None = None

    @property
    def deliver_at(self) -> datetime | None:
        """When it is to be handed out; None: at once."""
        return due_at(self.recorded_at, self.deliver_after)

    @property
    def expires_at(self) -> datetime | None:
        """From when on it is not to be handed out any more; None: it does not expire."""
        return expires_at(self.recorded_at, self.expires_after)


class _Traced(msgspec.Struct, gc=False):
    headers: _Trace


class Count(NamedTuple):
    """Events that have something in common, and the bytes of the records that were appended."""

    events: int
    size: int


_event: Final = msgspec.json.Decoder(StoredEvent)
_exported: Final = msgspec.json.Decoder(ExportedEvent)
_edited: Final = msgspec.json.Decoder(_Edited)
_type: Final = msgspec.json.Decoder(_Type)
_traced: Final = msgspec.json.Decoder(_Traced)
_routing: Final = msgspec.json.Decoder(Routing)
_outline: Final = msgspec.json.Decoder(Outline)
_fields: Final = msgspec.json.Decoder(dict[str, Raw])


# --- whole events -------------------------------------------------------------------------------------


def decode_event(event: bytes) -> StoredEvent:
    """Return what an event says.

    Raises:
        NotAnEvent
    """
    try:
        return _event.decode(event)
    except msgspec.MsgspecError as error:
        raise NotAnEvent(str(error)) from error


def decode_exported(line: bytes) -> ExportedEvent:
    """Return what a line of an export says.

    Raises:
        NotAnEvent
    """
    try:
        return _exported.decode(line)
    except msgspec.MsgspecError as error:
        raise NotAnEvent(str(error)) from error


def place_records(tails: Sequence[bytes], *, partition: int, first_offset: int, recorded_at: datetime) -> list[bytes]:
    """Return records as events, with their place in front; nothing is decoded.

    Args:
        tails: records that follow each other, each without its opening brace.
    """
    before = b'{"partition":%d,"offset":' % partition
    after = b',"recorded_at":"%s",' % format_time(recorded_at)
    offsets = range(first_offset, first_offset + len(tails))
    return [b"%b%d%b%b" % (before, offset, after, tail) for offset, tail in zip(offsets, tails, strict=True)]


def place_records_in_time(
    tails: Sequence[bytes], *, partition: int, first_offset: int, recorded_at: Sequence[bytes]
) -> list[bytes]:
    """Do what `place_records` does for records of several times, one for each as `format_time` writes it."""
    before = b'{"partition":%d,"offset":' % partition
    offsets = range(first_offset, first_offset + len(tails))
    places = zip(offsets, recorded_at, tails, strict=True)
    return [b'%b%d,"recorded_at":"%b",%b' % (before, offset, time, tail) for offset, time, tail in places]


def replace_payload(event: bytes, payload: bytes, *, unfit_for: int | None = None) -> tuple[bytes, bytes]:
    """Return the event with another payload, and the payload that it had; everything else keeps its bytes.

    Args:
        unfit_for: the version of its type's schema that the new payload is not as; None: it is, or nobody looked.
    """
    fields = _fields.decode(event)
    before = bytes(fields["payload"])
    fields["payload"] = Raw(payload)
    fields.pop("schema", None)
    if unfit_for is not None:
        fields["schema"] = Raw(msgspec.json.encode(SchemaMark(unfit_for)))
    return msgspec.json.encode(fields), before


def mark_edited(event: bytes, *, original: bytes, by: str, at: datetime) -> bytes:
    """Return an event whose payload somebody replaced, and at its end who and when: `"edited":{…}`.

    Of an erased event there is nothing to tell: no payload is left, and a hash could give away what it was.

    Args:
        original: the event as it was. If that was an edited one too, what is told of the first payload stays true.
    """
    if is_erased(event):
        return event
    fields = _fields.decode(event)
    before = _edited.decode(original)
    first = before.edited.original_payload_sha256 if before.edited else sha256(bytes(before.payload)).hexdigest()
    fields["edited"] = Raw(msgspec.json.encode(Edit(by=by, at=format_time(at).decode(), original_payload_sha256=first)))
    return msgspec.json.encode(fields)


def mark_invalid(record: bytes, *, version: int) -> bytes:
    """Return a record, or an event, with a mark at its end: its payload is not as that version of its schema says."""
    return b'%b,"schema":{"version":%d,"valid":false}}' % (record[:-1], version)


# --- erasure ----------------------------------------------------------------------------------------------


def erase_record(record: bytes, *, at: datetime, size: int | None) -> bytes:
    """Return a record, or an event, without its payload and headers, and at its end that they were erased.

    Everything else keeps its bytes. An edit goes too: its hash could give away what the payload was.

    Args:
        size: what the record took when it was appended here; None: that was elsewhere.
    """
    fields = _fields.decode(record)
    for name in ("payload", "edited"):
        fields.pop(name, None)
    if "headers" in fields:
        fields["headers"] = Raw(b"{}")
    before = b"" if size is None else b'"bytes":%d,' % size
    fields["payload"] = Raw(b"null")
    fields["erased"] = Raw(b'{%b"at":"%b"}' % (before, format_time(at)))
    return msgspec.json.encode(fields)


def is_erased(event: bytes) -> bool:
    """Whether the payload of an event, or of a record, was erased; nothing is decoded."""
    return _erasure_of(event) is not None


def _erasure_of(event: bytes) -> re.Match[bytes] | None:
    if event[_ERASED_HINT_AT] != _ERASED_HINT:
        return None
    return _ERASED.search(event, max(0, len(event) - _ERASED_LENGTH))


# --- single fields, for who goes through many -----------------------------------------------------------


def outline_of(event: bytes) -> Outline:
    """Return what people look for an event by."""
    return _outline.decode(event)


def place_of(event: bytes) -> tuple[int, int]:
    """Return an event's partition and offset."""
    place = _PLACE.match(event)
    if place is None:
        raise NotAnEvent("no place stands in front")
    return int(place[1]), int(place[2])


def type_of(event: bytes) -> str:
    """Return an event's type. Decoding it alone is quicker than looking for it among the bytes."""
    return _type.decode(event).type


def routing_of(event: bytes) -> Routing:
    """Return what decides whether an event is handed out, and when."""
    return _routing.decode(event)


def traceparent_of(event: bytes) -> str:
    """Return the trace that an event says it is part of; empty: none."""
    return _traced.decode(event).headers.traceparent


def recorded_at_of(event: bytes) -> datetime:
    """Return when an event was recorded."""
    start = event.index(_TIME_NAME) + len(_TIME_NAME)
    return datetime.fromisoformat(event[start : event.index(b'"', start)].decode("ascii"))


def record_size(event: bytes) -> int:
    """Return the size of the record that was appended, without what the log put in front.

    What was erased since counts as large as it was: bytes that were appended stay appended.
    """
    erasure = _erasure_of(event)
    if erasure is not None and erasure[1] is not None:
        return int(erasure[1])
    # The record's opening brace gave way to that.
    return len(event) - event.index(_TIME_NAME) - _TIME_END + 1


def count_by_minute_and_type(events: Iterable[bytes]) -> dict[tuple[bytes, bytes], Count]:
    """Count events by the minute in which they were recorded (`2026-11-22T10:00`) and their type.

    One loop for all three fields, as it runs over everything that is ever appended.
    """
    found: dict[tuple[bytes, bytes], list[int]] = {}
    for event in events:
        start = event.index(_TIME_NAME)
        minute_start = start + len(_TIME_NAME)
        size = len(event) - start - _TIME_END + 1
        if event[_ERASED_HINT_AT] == _ERASED_HINT:
            size = record_size(event)
        type_start = event.find(_TYPE_NAME, minute_start) + len(_TYPE_NAME)
        key = (
            event[minute_start : minute_start + _MINUTE_LENGTH],
            event[type_start : event.find(b'"', type_start)],
        )
        count = found.get(key)
        if count is None:
            found[key] = [1, size]
        else:
            count[0] += 1
            count[1] += size
    return {key: Count(*count) for key, count in found.items()}
