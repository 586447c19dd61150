"""What an edit changed in a payload, as JSON pointers with the value before and after: pure."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

MAX_CHANGES = 100
MAX_VALUE_CHARACTERS = 500


class Change(NamedTuple):
    """One place that differs; the values are JSON, cut to MAX_VALUE_CHARACTERS; None: not there."""

    pointer: str
    before: str | None
    after: str | None


class _Number(str):
    """A number as it was written: 1.0 and 1 are different, and none is too long to be read."""

    __slots__ = ()


_MISSING = object()


def payload_difference(before: bytes, after: bytes) -> list[Change]:
    """Return what differs between two JSON values, the first MAX_CHANGES places of it."""
    changes = []
    for change in _compare("", _load(before), _load(after)):
        changes.append(change)
        if len(changes) == MAX_CHANGES:
            break
    return changes


def _load(document: bytes) -> Any:
    return json.loads(document, parse_int=_Number, parse_float=_Number)


def _compare(pointer: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            place = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from _compare(place, before.get(name, _MISSING), after.get(name, _MISSING))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            was = before[index] if index < len(before) else _MISSING
            now = after[index] if index < len(after) else _MISSING
            yield from _compare(f"{pointer}/{index}", was, now)
    elif before is _MISSING or type(before) is not type(after) or before != after:
        yield Change(pointer, _write(before), _write(after))


def _write(value: Any) -> str | None:
    return None if value is _MISSING else _dump(value)[:MAX_VALUE_CHARACTERS]


def _dump(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_dump(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return json.dumps(value)
