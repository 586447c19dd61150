"""Whether a new version of a schema leaves alone those who rely on the one before, and which change does not."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

import jsonschema_rs
from jsonschema_rs.canonical import CanonicalizationError, Containment

from streams.schemas.parts import Path, all_parts, pointer_of

# Changes that are looked at one by one.
_MAX_CHANGES: Final = 100
_NOTES: Final = frozenset(
    ("$schema", "$id", "$comment", "title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples")
)
_DEFINITIONS: Final = ("$defs", "definitions")
_MAPS: Final = frozenset(("properties", "patternProperties", "dependentSchemas", *_DEFINITIONS))
_ABSENT: Final = object()


class Compatibility(StrEnum):
    """What a new version of a schema must leave true.

    `forward`: whoever knows the version before can read what is sent by the new one. `backward`: whoever knows the new
    one can read what was stored by the version before. `full`: both. `none`: nothing is compared.
    """

    NONE = "none"
    BACKWARD = "backward"
    FORWARD = "forward"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Break:
    """A change that breaks a promise: where, in words, and which of `backward` and `forward`."""

    pointer: str
    breaks: str
    detail: str


def find_breaks(old: Any, new: Any, wanted: Compatibility) -> list[Break]:
    """Return what in the new schema breaks what was wanted of it; nothing if it keeps that for certain.

    Alternatives that multiply can take long to go through: see `comparing`.
    """
    found: list[Break] = []
    old, new = _without_unchecked_formats(old), _without_unchecked_formats(new)
    if wanted in (Compatibility.BACKWARD, Compatibility.FULL):
        found += _find(old, new, Compatibility.BACKWARD)
    if wanted in (Compatibility.FORWARD, Compatibility.FULL):
        found += _find(old, new, Compatibility.FORWARD)
    return found


def _find(old: Any, new: Any, direction: Compatibility) -> list[Break]:
    whole = _keeps(old, new, direction)
    if whole is Containment.YES:
        return []
    found: list[Break] = []
    if isinstance(old, dict) and isinstance(new, dict):
        found = [
            Break(pointer_of(change.path), direction, _describe(change, direction))
            for change in islice(_changes(old, new, ()), _MAX_CHANGES)
            if _keeps(old, _with_definitions_of(new, _apply(old, change)), direction) is not Containment.YES
        ]
    if not found:
        detail = (
            "All changes together."
            if whole is Containment.NO
            else "The two cannot be compared for certain: too much of it."
        )
        found.append(Break("", direction, detail))
    return found


def _keeps(old: Any, new: Any, direction: Compatibility) -> Containment:
    """Whether every value that one takes is taken by the other: by the new one of the old, or the other way around."""
    try:
        before, after = _canonical(old), _canonical(new)
        return after.covers(before) if direction is Compatibility.BACKWARD else before.covers(after)
    except (CanonicalizationError, ValueError):
        return Containment.UNKNOWN


def _canonical(schema: Any) -> jsonschema_rs.CanonicalSchema:
    # As payloads are held to it.
    return jsonschema_rs.canonicalize(schema, validate_formats=True, offline=True)


def _without_unchecked_formats(schema: Any) -> Any:
    """A schema without what matters to no payload, and with which nothing could be told."""
    known = copy.deepcopy(schema)
    for part in all_parts(known):
        if isinstance(part.schema, dict) and "format" in part.schema and not _is_checked(part.schema["format"]):
            del part.schema["format"]
    return known


def _is_checked(format_: str) -> bool:
    """Whether payloads are held to a format: to those that the standard does not know, none is."""
    try:
        jsonschema_rs.Draft202012Validator({"format": format_}, validate_formats=True, ignore_unknown_formats=False)
    except ValueError:
        return False
    return True


def is_same(one: Any, other: Any) -> bool:
    """Whether two are the same JSON: to Python, 1 is equal to true."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


# --- changes, one by one -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Change:
    """One value in a schema that is another now, or was not there before, or is not any more."""

    path: Path
    before: Any
    after: Any


def _changes(old: dict[str, Any], new: dict[str, Any], path: Path) -> Iterator[_Change]:
    for keyword in dict.fromkeys((*old, *new)):
        if keyword in _NOTES:
            continue
        before, after = old.get(keyword, _ABSENT), new.get(keyword, _ABSENT)
        if is_same(before, after):
            continue
        here = (*path, keyword)
        members = {} if before is _ABSENT else before
        if keyword in _DEFINITIONS:
            # What one of the two alone defines means nothing until it is referred to, and that is a change of its own.
            both = [name for name in members if after is not _ABSENT and name in after]
            yield from _changes_of_map({n: members[n] for n in both}, {n: after[n] for n in both}, here)
        elif keyword in _MAPS and isinstance(members, dict) and isinstance(after, dict):
            yield from _changes_of_map(members, after, here)
        elif isinstance(before, dict) and isinstance(after, dict) and keyword not in ("const", "dependentRequired"):
            yield from _changes(before, after, here)
        elif keyword in ("allOf", "anyOf", "oneOf", "prefixItems") and _alike(before, after):
            for index, (each, other) in enumerate(zip(before, after, strict=True)):
                if not is_same(each, other):
                    yield from _changes(each, other, (*here, index))
        else:
            yield _Change(here, before, after)


def _changes_of_map(old: dict[str, Any], new: dict[str, Any], path: Path) -> Iterator[_Change]:
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name, _ABSENT), new.get(name, _ABSENT)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _changes(before, after, (*path, name))
        elif not is_same(before, after):
            yield _Change((*path, name), before, after)


def _alike(before: Any, after: Any) -> bool:
    """Whether two lists of schemas can be compared item by item."""
    return (
        isinstance(before, list)
        and isinstance(after, list)
        and len(before) == len(after)
        and all(isinstance(each, dict) for each in (*before, *after))
    )


def _apply(schema: dict[str, Any], change: _Change) -> dict[str, Any]:
    changed = copy.deepcopy(schema)
    *way, last = change.path
    place: Any = changed
    for step in way:
        place = place[step] if isinstance(step, int) else place.setdefault(step, {})
    if change.after is _ABSENT:
        del place[last]
    else:
        place[last] = change.after
    return changed


def _with_definitions_of(new: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with what the new one defines besides: a change that refers to it could not be looked at alone."""
    changed = dict(schema)
    for name in _DEFINITIONS:
        if name in new:
            changed[name] = {**new[name], **schema.get(name, {})}
    return changed


def _describe(change: _Change, direction: Compatibility) -> str:
    harm = (
        "events of the version before may not be taken any more"
        if direction is Compatibility.BACKWARD
        else "events may come that the version before does not take"
    )
    if change.before is _ABSENT:
        what = f"Added: {_short(change.after)}"
    elif change.after is _ABSENT:
        what = f"Removed: {_short(change.before)}"
    else:
        what = f"{_short(change.before)} became {_short(change.after)}"
    return f"{what}; {harm}."


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"
