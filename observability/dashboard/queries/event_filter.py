"""Which events somebody looks for. Pure; nothing of a payload is decoded that the filter does not ask for."""

import re
from dataclasses import dataclass
from unicodedata import normalize

import msgspec

from observability.dashboard.queries.payload_text import cannot_hold, holds, needle_of
from streams.stored_event import outline_of

MAX_PATH_PARTS = 32
_PART = re.compile(r"[^.\[\]]+|\[(\d{1,9})\]")


_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Every condition that is given must hold.

    Attributes:
        id: the event's id, exactly.
        type: its type, exactly.
        key: its key, exactly.
        text: occurs in the payload, as it was sent or as it reads, in any mixture of upper and lower case.
        path: a place in the payload, like `customer.id` or `items[0].sku`.
        value: what stands there: a JSON value as written, or a string without its quotes; empty: anything.
    """

    type: str = ""
    key: str = ""
    text: str = ""
    path: str = ""
    value: str = ""
    id: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.id or self.type or self.key or self.text or self.path)

    def matches(self, raw: bytes) -> bool:
        """Whether an event, as the log gives it out, is one that is looked for."""
        if self.text and cannot_hold(raw, needle_of(self.text)):
            return False
        event = outline_of(raw)
        if self.id and event.id != self.id:
            return False
        if self.type and event.type != self.type:
            return False
        if self.key and event.key != self.key:
            return False
        payload = bytes(event.payload)
        if self.text and not holds(payload, needle_of(self.text)):
            return False
        return not self.path or self._holds_at_path(payload)

    def _holds_at_path(self, payload: bytes) -> bool:
        found = value_at(payload, parse_path(self.path))
        if found is None:
            return False
        if not self.value:
            return True
        value = self.value.encode()
        if found == value:
            return True
        text = _text(found)
        return text is not None and text in (normalize("NFC", self.value), _text(value))


def parse_path(path: str) -> tuple[str | int, ...]:
    """`items[0].sku` → `("items", 0, "sku")`."""
    matches = _PART.finditer(path.removeprefix("$").removeprefix("."))
    parts = [int(match[1]) if match[1] is not None else match[0] for match in matches]
    return tuple(parts[:MAX_PATH_PARTS])


def value_at(payload: bytes, path: tuple[str | int, ...]) -> bytes | None:
    """Return the JSON that stands at a path, as written, or None if nothing does."""
    here = payload
    for part in path:
        try:
            if here[:1] == b"{":
                found = _object.decode(here).get(str(part))
            elif here[:1] == b"[" and str(part).isascii() and str(part).isdigit():
                items = _array.decode(here)
                found = items[int(part)] if int(part) < len(items) else None
            else:
                return None
        except msgspec.DecodeError:
            return None
        if found is None:
            return None
        here = bytes(found)
    return here


def _text(raw: bytes) -> str | None:
    try:
        return normalize("NFC", msgspec.json.decode(raw, type=str))
    except msgspec.DecodeError:
        return None
