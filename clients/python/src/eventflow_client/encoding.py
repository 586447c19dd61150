"""Events as the JSON that is sent: encoded once, so that every attempt sends the same bytes."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from .errors import NotJson
from .tracing import current_traceparent

_encoder = msgspec.json.Encoder()


class NewEvent(NamedTuple):
    """An event to append, with its stream, for `send_many`.

    Attributes:
        stream: the stream's name.
        payload: what `msgspec.json` encodes: JSON's own types, dataclasses, structs, dates, UUIDs, decimals …; or
            `msgspec.Raw` with JSON that is there already.
        type: at most 128 characters.
        key: events of one key keep their order; at most 512 bytes.
        id: 1 to 128 characters; the server makes a UUIDv7 if there is none.
        occurred_at: when it happened, with a zone.
        headers: at most 32, of text.
        deliver_after: lease mode hands it out then: a time with a zone, or how long after it was recorded, at most 30
            days; a number is seconds.
        expires_after: so long after it was recorded lease mode does not hand it out any more, at most a year.
    """

    stream: str
    payload: Any
    type: str | None = None
    key: str | None = None
    id: str | None = None
    occurred_at: datetime | None = None
    headers: Mapping[str, str] | None = None
    deliver_after: datetime | timedelta | float | None = None
    expires_after: timedelta | float | None = None


def encode_event(
    payload: Any,
    *,
    stream: str | None = None,
    type: str | None = None,
    key: str | None = None,
    id: str | None = None,
    occurred_at: datetime | None = None,
    headers: Mapping[str, str] | None = None,
    deliver_after: datetime | timedelta | float | None = None,
    expires_after: timedelta | float | None = None,
) -> bytes:
    """Return one event as JSON; within a handler it gets the `traceparent` of what is handled, unless it has its own.

    Raises:
        NotJson
    """
    event: dict[str, Any] = {}
    if stream is not None:
        event["stream"] = stream
    if type is not None:
        event["type"] = type
    if key is not None:
        event["key"] = key
    if id is not None:
        event["id"] = id
    if occurred_at is not None:
        event["occurred_at"] = _with_zone("occurred_at", occurred_at)
    if deliver_after is not None:
        event["deliver_after"] = _time_or_seconds("deliver_after", deliver_after)
    if expires_after is not None:
        event["expires_after"] = _time_or_seconds("expires_after", expires_after)
    if headers:
        event["headers"] = headers
    if (traceparent := current_traceparent()) and not (headers and "traceparent" in headers):
        event["headers"] = {**(headers or {}), "traceparent": traceparent}
    event["payload"] = payload
    return encode(event)


def _with_zone(name: str, moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise NotJson(f"`{name}` needs a time zone: {moment.isoformat()}.")
    return moment


def _time_or_seconds(name: str, value: datetime | timedelta | float) -> datetime | float:
    if isinstance(value, datetime):
        return _with_zone(name, value)
    return value.total_seconds() if isinstance(value, timedelta) else value


def encode(value: Any) -> bytes:
    """Return the value as JSON.

    Raises:
        NotJson
    """
    try:
        content = _encoder.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotJson(f"This cannot be sent as JSON: {error}") from error
    # The encoder writes NaN and infinities as null, without a word.
    if b"null" in content and _has_no_number(value):
        raise NotJson("NaN and infinities cannot be sent as JSON.")
    return content


def _has_no_number(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_has_no_number, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_has_no_number, value))
    if value is None or isinstance(value, str | bytes | int | datetime | msgspec.Raw):
        return False
    fields = getattr(value, "__struct_fields__", None) or getattr(value, "__dataclass_fields__", None) or ()
    return any(_has_no_number(getattr(value, name)) for name in fields)
