"""The envelope of an event: what a producer sends, checked, and the record that the log keeps.

The payload is never decoded. It is parsed once, strictly, as part of the envelope, and its own bytes go
into the record, so what was sent is what every consumer reads.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType
from uuid_utils import uuid7

from accounts.conf import MAX_FAULTS
from accounts.errors import ExpectedObject, InvalidJson, InvalidUnicode, PayloadTooLarge, TooDeep
from accounts.http.faults import fault_of
from accounts.http.strict_json import check_syntax, check_text, exceeds_depth, explain_decode_error
from streams.conf import (
    MAX_EVENT_BYTES,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_ID_CHARACTERS,
    MAX_JSON_DEPTH,
    MAX_KEY_BYTES,
    MAX_REQUEST_EVENTS,
    MAX_TYPE_CHARACTERS,
)
from streams.errors import EventFault, InvalidEvents
from streams.record_lines import RecordLines
from streams.timing import TIME_RULES, Delay, Lifetime, complete_times, faults_of_times

TYPE_PATTERN = rf"[A-Za-z0-9][A-Za-z0-9._:/+-]{{0,{MAX_TYPE_CHARACTERS - 1}}}"
TYPE_RULE = f"1 to {MAX_TYPE_CHARACTERS} of A-Z a-z 0-9 . _ : / + -, beginning with a letter or digit."
_type = re.compile(TYPE_PATTERN, re.ASCII)
# A line of NDJSON that is not blank, without the white space before it.
_LINE = re.compile(rb"[^ \t\r\n\v\f][^\n]*")
_WORDS = {
    "unknown_field": "An event has no such field.",
    "required": "`{name}` is required.",
    "timezone_required": "A zone is required: 2026-11-22T10:00:00Z.",
    "expected_object": "An event must be a JSON object.",
}


class Envelope(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One event as a producer sends it, with its fields in the order in which the log keeps them.

    It becomes its own record: `make_records` gives it an id and takes off `stream`, which the log knows anyway.
    """

    id: Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARACTERS)] | UnsetType = UNSET
    type: str = "event"
    key: Annotated[str, Meta(min_length=1, max_length=MAX_KEY_BYTES)] | None = None
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    # Few events have these, and a record says nothing of what its event has not.
    deliver_after: Delay | UnsetType | None = UNSET
    expires_after: Lifetime | UnsetType | None = UNSET
    headers: dict[str, str] | None = None
    payload: Raw
    stream: str | UnsetType = UNSET


class Made(NamedTuple):
    """The records of a request's events.

    Attributes:
        ids: each event's, a new UUIDv7 where it brought none.
        timed: the positions of those that are for later or expire.
    """

    records: Sequence[bytes]
    ids: list[str]
    timed: Sequence[int]


_one = msgspec.json.Decoder(Envelope)
_many = msgspec.json.Decoder(list[Envelope])
# It ends at the first item too many, having made nothing of those before it.
_items = msgspec.json.Decoder(
    msgspec.defstruct(
        "Items",
        [(f"item_{number}", Raw, None) for number in range(MAX_REQUEST_EVENTS)],
        array_like=True,
        forbid_unknown_fields=True,
        gc=False,
    )
)
_encoder = msgspec.json.Encoder()
_NO_HEADERS: dict[str, str] = {}
_NEITHER_OPENER_NOR_NEWLINE = bytes(set(range(256)) - set(b"[{\n"))
# No character takes more than four bytes.
_SURELY_SHORT_KEY = MAX_KEY_BYTES // 4
_SURELY_SHORT_HEADER = MAX_HEADER_BYTES // 4
# Counting begins in the lower half of 32 bits, so that it never runs over.
_COUNTER_START = 0x7FFF_FFFF
# Types that were found well formed: streams have few, and see them again and again.
_known_types: set[str] = {"event"}
_MAX_KNOWN_TYPES = 10_000


def decode_events(body: bytes, *, is_ndjson: bool) -> tuple[list[Envelope], bool]:
    """Return the events of a request's body, and whether it was a single one (not in an array).

    Raises:
        InvalidUtf8, InvalidUnicode, InvalidJson, ExpectedObject: it is not JSON of the right kind.
        PayloadTooLarge: too many events.
        InvalidEvents: some items are not envelopes; each is named.
    """
    check_text(body)
    is_single = not is_ndjson and body.lstrip()[:1] == b"{"
    lines = _lines_of(body) if is_ndjson else []
    if not is_ndjson and not is_single and _may_be_too_many(body):
        split_array(body)
    try:
        if is_ndjson:
            events = [_one.decode(line) for line in lines]
        elif is_single:
            events = [_one.decode(body)]
        else:
            events = _many.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        if is_ndjson:
            _check_lines(body)
        if not isinstance(error, msgspec.ValidationError):
            raise explain_decode_error(error, body) from error
        items = lines if is_ndjson else [body] if is_single else split_array(body)
        events = _decode_each(items, is_single=is_single)
    if b"\\u0000" in body:
        _refuse_nul_in_names(events)
    if not events:
        raise ExpectedObject("At least one event is expected: an object, an array of objects, or NDJSON.")
    return events, is_single


def make_records(events: Sequence[Envelope], *, is_single: bool) -> Made:
    """Turn events into their records.

    Raises:
        TooDeep, PayloadTooLarge: a payload nests too deeply, an event is too large.
        InvalidEvents: a field breaks a rule; each is named.
    """
    ids = make_ids(len(events))
    faults: list[EventFault] = []
    timed: list[int] = []
    # By the hundred: what the loop asks for is at hand.
    known_types, unset, no_headers = _known_types, UNSET, _NO_HEADERS
    for index, event in enumerate(events):
        key = event.key
        if (
            event.type in known_types
            and (key is None or len(key) <= _SURELY_SHORT_KEY)
            and event.id is unset
            and not event.headers
            and event.occurred_at is None
            and event.deliver_after is unset
            and event.expires_after is unset
        ):
            event.id = ids[index]
            event.headers = no_headers
        else:
            faults += faults_of_event(event, "" if is_single else f"/{index}")
            if len(faults) >= MAX_FAULTS:
                break
            _complete(event, ids, index)
            if complete_times(event):
                timed.append(index)
        if event.stream is not unset:
            event.stream = unset
    if faults:
        raise InvalidEvents(faults)
    return Made(_encode(events), ids, timed)


def is_type(text: str) -> bool:
    """Whether a text may be the type of an event."""
    return _type.fullmatch(text) is not None


def _complete(event: Envelope, ids: list[str], index: int) -> None:
    """Give an event what it did not bring, and keep the id that it did."""
    event.headers = event.headers or _NO_HEADERS
    if event.id is UNSET:
        event.id = ids[index]
    else:
        ids[index] = event.id


def make_ids(count: int) -> list[str]:
    """Make UUIDv7s, each greater than the one before it.

    Several count up, in their last 32 bits, from one that the library made: RFC 9562, section 6.2, method 2.
    The ids of a batch look alike then, so that they cost less to make, to compress and to keep.
    """
    first = str(uuid7())
    if count == 1:
        return [first]
    start, number = first[:-8], int(first[-8:], 16) & _COUNTER_START
    return [f"{start}{last:08x}" for last in range(number, number + count)]


def _encode(events: Sequence[Envelope]) -> Sequence[bytes]:
    """Return each event's record as JSON on one line, checked for size and depth."""
    lines = _encoder.encode_lines(events)
    openers = lines.translate(None, _NEITHER_OPENER_NOR_NEWLINE)
    if openers.count(b"\n") != len(events) or b"\r" in lines:
        # Some payloads were sent over several lines.
        for index, event in enumerate(events):
            if exceeds_depth(bytes(event.payload)):
                raise _too_deep(index)
            event.payload = Raw(msgspec.json.format(bytes(event.payload), indent=-1))
        lines = _encoder.encode_lines(events)
        openers = lines.translate(None, _NEITHER_OPENER_NOR_NEWLINE)
    lines = lines[:-1]
    records = RecordLines(lines) if len(events) > 1 else [lines]
    if len(lines) > MAX_EVENT_BYTES:
        for index, record in enumerate(records):
            if len(record) > MAX_EVENT_BYTES:
                detail = f"An event may have at most {MAX_EVENT_BYTES} bytes; event {index} has {len(record)}."
                raise PayloadTooLarge(detail)
    # Opening brackets bound the depth from above: only records with many of them are looked at in earnest.
    if max(map(len, openers.split(b"\n"))) > MAX_JSON_DEPTH:
        for index, record in enumerate(records):
            # The record's own object is one level around the payload.
            if exceeds_depth(record, MAX_JSON_DEPTH + 1):
                raise _too_deep(index)
    return records


def _too_deep(index: int) -> TooDeep:
    return TooDeep(f"A payload may be nested at most {MAX_JSON_DEPTH} deep; event {index} is deeper.")


def _too_many() -> PayloadTooLarge:
    return PayloadTooLarge(f"A request may have at most {MAX_REQUEST_EVENTS} events; this one has more.")


def _may_be_too_many(body: bytes) -> bool:
    """Whether an array could have too many events: each has a payload, whose name might be written with escapes."""
    return body.count(b'"payload"') + body.count(b"\\u00") > MAX_REQUEST_EVENTS


def _lines_of(body: bytes) -> list[bytes]:
    """Return the lines that are not blank, if they are not too many.

    Raises:
        PayloadTooLarge
    """
    lines = [line.group() for line in islice(_LINE.finditer(body), MAX_REQUEST_EVENTS + 1)]
    if len(lines) > MAX_REQUEST_EVENTS:
        raise _too_many()
    return lines


def _check_lines(body: bytes) -> None:
    """Refuse NDJSON with a line that is no JSON, and say which."""
    for line in _LINE.finditer(body):
        try:
            check_syntax(line.group())
        except (InvalidJson, InvalidUnicode, TooDeep) as problem:
            number = body.count(b"\n", 0, line.start()) + 1
            raise type(problem)(f"Line {number}: {problem.detail}") from problem


def _refuse_nul_in_names(events: Sequence[Envelope]) -> None:
    r"""A name with `\u0000` deceives whoever looks at it; in a payload, a key or a header it is data."""
    for index, event in enumerate(events):
        if "\0" in event.type or (event.stream is not UNSET and "\0" in event.stream):
            raise InvalidUnicode(f"The type and the stream of an event must not contain \\u0000; event {index} has it.")


def split_array(body: bytes) -> list[bytes]:
    """Cut an array into its items, to judge each alone.

    Raises:
        PayloadTooLarge: there are more than a request may have; what follows the first too many is not looked at.
        InvalidJson, InvalidUnicode, TooDeep, ExpectedObject
    """
    try:
        items = msgspec.structs.astuple(_items.decode(body))
        return [bytes(item) for item in items if item is not None]
    except msgspec.ValidationError as error:
        if body.lstrip()[:1] == b"[":
            raise _too_many() from error
        check_syntax(body)
        raise ExpectedObject("An event must be a JSON object; several, an array of objects.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise explain_decode_error(error, body) from error


def _decode_each(items: list[bytes], *, is_single: bool) -> list[Envelope]:
    """Decode items of which at least one is no envelope; say of each what is wrong."""
    faults: list[EventFault] = []
    events: list[Envelope] = []
    for index, item in enumerate(items):
        pointer = "" if is_single else f"/{index}"
        try:
            event = _one.decode(item)
            faults += faults_of_event(event, pointer)
            events.append(event)
        except msgspec.ValidationError as error:
            faults.append(_fault_of(error, pointer))
        except (msgspec.DecodeError, RecursionError) as error:
            raise explain_decode_error(error, item) from error
        if len(faults) >= MAX_FAULTS:
            break
    if faults:
        raise InvalidEvents(faults)
    return events


def _fault_of(error: msgspec.ValidationError, pointer: str) -> EventFault:
    """Say in the words of events what does not fit."""
    fault = fault_of(error)
    # A number that is out of range stands where none belongs.
    code = "invalid" if fault.code == "out_of_range" else fault.code
    detail = _WORDS[code].format(name=fault.name) if code in _WORDS else TIME_RULES.get(fault.pointer, fault.text)
    return EventFault(f"{pointer}{fault.pointer}", code, detail)


def faults_of_event(event: Envelope, pointer: str) -> list[EventFault]:
    """Return what of an event breaks the rules that types alone cannot say; put its time in UTC."""
    faults = []
    if not is_type(event.type):
        faults.append(EventFault(f"{pointer}/type", "invalid_type", TYPE_RULE))
    elif len(_known_types) < _MAX_KNOWN_TYPES:
        _known_types.add(event.type)
    if event.key is not None and len(event.key.encode()) > MAX_KEY_BYTES:
        faults.append(EventFault(f"{pointer}/key", "too_long", f"At most {MAX_KEY_BYTES} bytes in UTF-8."))
    if event.id is not UNSET and not event.id.isprintable():
        faults.append(EventFault(f"{pointer}/id", "invalid_id", "Must not have control or invisible characters."))
    if event.occurred_at is not None:
        try:
            event.occurred_at = event.occurred_at.astimezone(UTC)
        except OverflowError:
            faults.append(EventFault(f"{pointer}/occurred_at", "out_of_range", "Must lie in the years 1 to 9999."))
    faults += faults_of_times(event, pointer)
    if event.headers:
        if len(event.headers) > MAX_HEADERS:
            faults.append(EventFault(f"{pointer}/headers", "too_many", f"At most {MAX_HEADERS} headers."))
        if not _are_headers(event.headers):
            detail = f"A header has a name, and at most {MAX_HEADER_BYTES} bytes with it."
            faults.append(EventFault(f"{pointer}/headers", "invalid_header", detail))
    return faults


def _are_headers(headers: dict[str, str]) -> bool:
    """Whether each has a name and is short enough, of as many as an event may have."""
    if are_surely_short(headers):
        return "" not in headers
    return all(
        name and len(name.encode()) + len(value.encode()) <= MAX_HEADER_BYTES
        for name, value in islice(headers.items(), MAX_HEADERS)
    )


def are_surely_short(headers: Mapping[str, str]) -> bool:
    """Whether no header can have too many bytes, since all of them together have not; most events have so little."""
    text = "".join(headers) + "".join(headers.values())
    return len(text) <= _SURELY_SHORT_HEADER or (len(text) <= MAX_HEADER_BYTES and text.isascii())
