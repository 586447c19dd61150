"""How a stored event looks: the one place that knows its bytes. Pure: bytes in, plain values out.

The log gives out an event as its record, as the producer's envelope became it, with its place in front:
`{"partition":…,"offset":…,"recorded_at":…,"id":…,"type":…,"key":…,"occurred_at":…,"headers":…,"payload":…}`.
Consumers get it as it is; a redrive with another payload also says `"edited":…`, at its end. Whoever goes through
many events looks for single fields without decoding the others.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from streams.times import format_time

_TIME_NAME: Final = b'"recorded_at":"'
# 2026-11-22T10:00 of 2026-11-22T10:00:00.123456Z
_MINUTE_LENGTH: Final = len("2026-11-22T10:00")
_TIME_END: Final = len('"recorded_at":"2026-11-22T10:00:00.123456Z",')
# A quote inside an id is escaped, so this stands nowhere before the type. A type has neither quotes nor escapes.
_TYPE_NAME: Final = b'","type":"'


class NotAnEvent(ValueError):
    """These bytes are no event; the words say why."""


class Edit(msgspec.Struct, gc=False):
    """Who replaced an event's payload, and when; and what tells whether somebody else's copy is the first payload."""

    by: str
    at: str
    original_payload_sha256: str


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
    # Of a redrive alone: the log has none.
    edited: Edit | None = None

    @property
    def payload_text(self) -> str:
        return bytes(self.payload).decode()


class ExportedEvent(msgspec.Struct, gc=False):
    """An event that was taken out and is put in again: offset and time are given anew, what is empty may be missing."""

    partition: int
    id: str
    type: str
    payload: Raw
    key: str | None = None
    occurred_at: datetime | None = None
    headers: dict[str, str] | None = None


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


class Count(NamedTuple):
    """Events that have something in common, and the bytes of the records that were appended."""

    events: int
    size: int


_event: Final = msgspec.json.Decoder(StoredEvent)
_exported: Final = msgspec.json.Decoder(ExportedEvent)
_edited: Final = msgspec.json.Decoder(_Edited)
_type: Final = msgspec.json.Decoder(_Type)
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


def replace_payload(event: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """Return the event with another payload, and the payload that it had; everything else keeps its bytes."""
    fields = _fields.decode(event)
    before = bytes(fields["payload"])
    fields["payload"] = Raw(payload)
    return msgspec.json.encode(fields), before


def mark_edited(event: bytes, *, original: bytes, by: str, at: datetime) -> bytes:
    """Return an event whose payload somebody replaced, and at its end who and when: `"edited":{…}`.

    Args:
        original: the event as it was. If that was an edited one too, what is told of the first payload stays true.
    """
    fields = _fields.decode(event)
    before = _edited.decode(original)
    first = before.edited.original_payload_sha256 if before.edited else sha256(bytes(before.payload)).hexdigest()
    fields["edited"] = Raw(msgspec.json.encode(Edit(by=by, at=format_time(at).decode(), original_payload_sha256=first)))
    return msgspec.json.encode(fields)


# --- single fields, for who goes through many -----------------------------------------------------------


def outline_of(event: bytes) -> Outline:
    """Return what people look for an event by."""
    return _outline.decode(event)


def type_of(event: bytes) -> str:
    """Return an event's type. Decoding it alone is quicker than looking for it among the bytes."""
    return _type.decode(event).type


def recorded_at_of(event: bytes) -> datetime:
    """Return when an event was recorded."""
    start = event.index(_TIME_NAME) + len(_TIME_NAME)
    return datetime.fromisoformat(event[start : event.index(b'"', start)].decode("ascii"))


def record_size(event: bytes) -> int:
    """Return the size of the record that was appended, without what the log put in front."""
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
