"""The events of a run: a name says everything of an event, so that whoever meets it can tell whether it is whole."""

import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

BIG_EVERY: Final = 150
_KEYS: Final = 24
# Numbers that a parse on the way would change.
_EXACT: Final = b'"exact":[1.10,1e400,18446744073709551617]'


class Times(NamedTuple):
    """From when and until when an event may be handed out, in seconds after it was recorded; None: at once, for ever."""

    later: float | None = None
    lifetime: float | None = None


class Event(msgspec.Struct):
    """An event as the API gives it out; the payload's bytes are those that were sent."""

    partition: int
    offset: int
    type: str
    payload: msgspec.Raw
    key: str | None = None
    recorded_at: datetime | None = None
    deliver_after: float | None = None
    expires_after: float | None = None


class _Payload(msgspec.Struct):
    name: str


_payload = msgspec.json.Decoder(_Payload)


def names_of(base: str, count: int) -> list[str]:
    """The names of the events of one append."""
    return [f"{base}.{index}" for index in range(count)]


def base_of(name: str) -> str:
    return name.rpartition(".")[0]


def key_of(name: str) -> str | None:
    number = zlib.crc32(name.encode())
    return None if number % 5 < 2 else f"key-{number % _KEYS}"


def type_of(name: str) -> str:
    return f"kind-{zlib.crc32(name.encode()) % 3}"


def times_of(name: str) -> Times:
    """Most events are for now; of these some expire soon after, so that they do in whatever state they are then."""
    number = zlib.crc32(f"{name} times".encode())
    later, lifetime = 0.5 + number // 16 % 8 / 2, 1.0 + number // 128 % 8
    match number % 16:
        case 0:
            return Times(later)
        case 1:
            return Times(None, lifetime)
        case 2:
            return Times(later, later + lifetime)
    return Times()


def payload_of(name: str, *, is_edited: bool = False) -> bytes:
    """The payload's bytes: most are small, some are as large as what a stored batch may hold."""
    number = zlib.crc32(name.encode())
    size = 60_000 if number % BIG_EVERY == 0 else number % 300
    edited = b'"edited":true,' if is_edited else b""
    return b'{"name":"%b",%b%b,"pad":"%b"}' % (name.encode(), edited, _EXACT, b"x" * size)


def envelope_of(name: str, *, has_id: bool = False) -> bytes:
    """The event as it is sent, if need be with its name as its id."""
    key = key_of(name)
    tail = b',"key":"%b"' % key.encode() if key else b""
    tail += b',"id":"%b"' % name.encode() if has_id else b""
    times = times_of(name)
    tail += b',"deliver_after":%g' % times.later if times.later is not None else b""
    tail += b',"expires_after":%g' % times.lifetime if times.lifetime is not None else b""
    return b'{"type":"%b","payload":%b%b}' % (type_of(name).encode(), payload_of(name), tail)


def recognise(event: Event) -> str:
    """Return the event's name, `name!` for an edited copy, or `?…` if it is not as it was sent."""
    payload = bytes(event.payload)
    try:
        name = _payload.decode(payload).name
    except msgspec.DecodeError:
        return "?" + payload[:60].decode(errors="replace").replace(" ", "_")
    if payload == payload_of(name):
        is_whole, told = True, name
    else:
        is_whole, told = payload == payload_of(name, is_edited=True), f"{name}!"
    is_in_time = (event.deliver_after, event.expires_after) == times_of(name)
    if is_whole and event.key == key_of(name) and event.type == type_of(name) and is_in_time:
        return told
    return f"?{name}"


def is_poison(name: str) -> bool:
    """Whether no consumer can process it, unless somebody mends it."""
    return zlib.crc32(name.encode()) % 61 == 0 and not name.endswith("!")


def runs_of(events: list[tuple[int, int, str]]) -> list[list[object]]:
    """Pack (partition, offset, name) in the order given into [partition, first offset, "names"] without holes."""
    runs: list[list[object]] = []
    names: list[str] = []
    for partition, offset, name in events:
        if runs and runs[-1][0] == partition and runs[-1][1] + len(names) == offset:  # type: ignore[operator]
            names.append(name)
            continue
        if runs:
            runs[-1][2] = " ".join(names)
        names = [name]
        runs.append([partition, offset, ""])
    if runs:
        runs[-1][2] = " ".join(names)
    return runs


def recorded_of(events: Iterable[Event]) -> list[list[float]]:
    """When those of some events were recorded that are for later or expire: [partition, offset, seconds since 1970]."""
    return [
        [event.partition, event.offset, event.recorded_at.timestamp()]
        for event in events
        if event.recorded_at is not None and (event.deliver_after, event.expires_after) != (None, None)
    ]
