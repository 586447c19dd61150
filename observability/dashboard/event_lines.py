"""Several events that somebody typed or pasted: one a line, or an array; what is wrong is said line by line."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from accounts.conf import MAX_FAULTS
from accounts.errors import DomainError, ExpectedObject, PayloadTooLarge
from accounts.http.strict_json import check_text, explain_decode_error
from streams.conf import MAX_REQUEST_EVENTS
from streams.envelope import Envelope, decode_events, make_records
from streams.errors import InvalidEvents

_items = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class LineFault:
    """What is wrong with the event that begins in this line, counted from 1."""

    line: int
    detail: str


class RefusedLines(Exception):
    """Some of the events cannot be accepted, so none may be stored."""

    def __init__(self, faults: Sequence[LineFault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event as it was typed, and the line in which it begins."""

    line: int
    text: bytes


def split_events(text: str) -> list[EventLine]:
    """Cut a text into its events: the items of an array, or else the lines that are not blank.

    Raises:
        InvalidUtf8, InvalidUnicode, InvalidJson: an array that is none.
        ExpectedObject, PayloadTooLarge: no event at all, or more than one request may have.
    """
    body = text.encode("utf-8", "surrogatepass")
    check_text(body)
    found = _items_of(body) if body.lstrip()[:1] == b"[" else _lines_of(body)
    if not found:
        raise ExpectedObject("Write at least one event: an object in a line, or an array of objects.")
    if len(found) > MAX_REQUEST_EVENTS:
        raise PayloadTooLarge(f"At most {MAX_REQUEST_EVENTS} events at once; these are {len(found)}.")
    return found


def read_events(lines: Sequence[EventLine]) -> list[Envelope]:
    """Return the events, each checked alone as the API would check it.

    Raises:
        RefusedLines: names every line with a fault, or the first hundred.
    """
    faults: list[LineFault] = []
    for each in lines:
        faults += _faults_of(each)
        if len(faults) >= MAX_FAULTS:
            break
    if faults:
        raise RefusedLines(faults[:MAX_FAULTS])
    return [_decode(each) for each in lines]


def at_lines(lines: Sequence[EventLine], refused: InvalidEvents) -> RefusedLines:
    """Return a refusal of all of them together, by lines instead of by pointers."""
    faults = []
    for fault in refused.faults:
        index, _, field = fault.pointer.lstrip("/").partition("/")
        faults.append(LineFault(lines[int(index)].line if index.isdigit() else 1, _words(field, fault.detail)))
    return RefusedLines(faults)


def _decode(line: EventLine) -> Envelope:
    events, is_single = decode_events(line.text, is_ndjson=False)
    if not is_single:
        raise ExpectedObject("An event must be a JSON object.")
    return events[0]


def _faults_of(line: EventLine) -> list[LineFault]:
    try:
        make_records([_decode(line)], is_single=True)
    except InvalidEvents as error:
        return [LineFault(line.line, _words(each.pointer.lstrip("/"), each.detail)) for each in error.faults]
    except DomainError as error:
        return [LineFault(line.line, error.detail)]
    return []


def _words(field: str, detail: str) -> str:
    return f"{field}: {detail}" if field else detail


def _lines_of(body: bytes) -> list[EventLine]:
    lines = enumerate(body.split(b"\n"), start=1)
    return [EventLine(number, line.strip()) for number, line in lines if line.strip()]


def _items_of(body: bytes) -> list[EventLine]:
    try:
        items = [bytes(item) for item in _items.decode(body)]
    except (msgspec.DecodeError, RecursionError) as error:
        raise explain_decode_error(error, body) from error
    found, position, line = [], 0, 1
    for item in items:
        start = body.index(item, position)
        line += body.count(b"\n", position, start)
        found.append(EventLine(line, item))
        line += item.count(b"\n")
        position = start + len(item)
    return found
