"""Lines of standard input as events to append."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NoReturn

import msgspec

from .wrong_use import WrongUse

Form = Literal["json", "text", "events"]


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    payload: msgspec.Raw
    type: str | None = None
    key: str | None = None
    id: str | None = None
    occurred_at: datetime | None = None
    headers: dict[str, str] | None = None
    deliver_after: datetime | float | None = None
    expires_after: float | None = None
    # What `tail --json` writes beside, so that its output can be appended elsewhere.
    partition: msgspec.Raw = msgspec.Raw()
    offset: msgspec.Raw = msgspec.Raw()
    recorded_at: msgspec.Raw = msgspec.Raw()
    edited: msgspec.Raw = msgspec.Raw()
    erased: msgspec.Raw = msgspec.Raw()
    schema: msgspec.Raw = msgspec.Raw()
    stream: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class Common:
    """What all events get that do not say otherwise.

    Attributes:
        key_field: of a payload that is an object: where each event's key is.
        deliver_after, expires_after: a time or seconds, and seconds.
    """

    form: Form = "json"
    type: str | None = None
    key: str | None = None
    key_field: str | None = None
    headers: Mapping[str, str] | None = None
    deliver_after: datetime | float | None = None
    expires_after: float | None = None

    def times(self) -> dict[str, datetime | float | None]:
        return {"deliver_after": self.deliver_after, "expires_after": self.expires_after}


class BadLine(Exception):
    """A line that is no event."""


def numbered_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that have something, with their numbers from 1."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, line


def read_event(line: bytes, common: Common) -> dict[str, Any]:
    """Return an event's fields, as `Producer.enqueue` takes them beside the stream.

    Raises:
        BadLine
    """
    if common.form == "events":
        return _whole_event(line, common)
    fields: dict[str, Any] = {"type": common.type, "key": common.key, "headers": common.headers}
    fields |= common.times()
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise BadLine(f"not UTF-8 at byte {error.start + 1}") from error
    if common.form == "text":
        return {**fields, "payload": text.rstrip("\r\n")}
    value = _json(line)
    if common.key_field is not None:
        fields["key"] = _key_in(value, common.key_field)
    # The bytes as they came: numbers keep all their digits.
    return {**fields, "payload": msgspec.Raw(line.strip())}


def _whole_event(line: bytes, common: Common) -> dict[str, Any]:
    try:
        event = msgspec.json.decode(line, type=_Event)
    except msgspec.DecodeError as error:
        raise BadLine(f"no event: {error}") from error
    value = _json(bytes(event.payload))
    key = event.key if event.key is not None else common.key
    return {
        "payload": event.payload,
        "type": event.type or common.type,
        "key": _key_in(value, common.key_field) if common.key_field else key,
        "id": event.id,
        "occurred_at": event.occurred_at,
        "headers": {**(common.headers or {}), **(event.headers or {})} or None,
        "deliver_after": common.deliver_after if event.deliver_after is None else event.deliver_after,
        "expires_after": common.expires_after if event.expires_after is None else event.expires_after,
    }


def _json(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        pass
    try:
        # Numbers like 1e400, which the server takes as they are written.
        return json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"no JSON: {error}. --text appends lines as they are") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is none of its numbers")


def _key_in(payload: Any, name: str) -> str:
    found = payload.get(name) if isinstance(payload, dict) else None
    if isinstance(found, str):
        return found
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    raise BadLine(f"no text or whole number {name!r} to be the key")


def check(common: Common) -> None:
    """Say what does not go together.

    Raises:
        WrongUse
    """
    if common.key is not None and common.key_field is not None:
        raise WrongUse("Give --key or --key-field, not both: an event has one key.")
    if common.form == "text" and common.key_field is not None:
        raise WrongUse("--key-field looks into JSON: leave out --text.")
