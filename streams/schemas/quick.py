"""A decoder that takes what a schema takes, for schemas that say plain things.

To hold a payload to its schema it has to be made into values first, and going through these costs as much again. Many
schemas say no more than types, required fields and bounds, and that the decoder can look at while it decodes. It is
made so that it never takes what the schema does not; what it does not take is for the schema to judge.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, Union

import msgspec
from msgspec import UNSET, Meta, UnsetType

_NOTES: Final = frozenset(
    ("$schema", "$id", "$comment", "title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples")
)
# Numbers up to here are the same for a decoder, which takes them for floats, as for a schema.
_EXACT: Final = 2**53
_BOUNDS: Final = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}


class _NotPlain(Exception):
    """The schema says something that a decoder cannot look at."""


def make_quick_decoder(document: Any) -> msgspec.json.Decoder[Any] | None:
    """Return a decoder whose success says that a payload is as the schema wants it; None: there is none for it."""
    try:
        return msgspec.json.Decoder(_type_of(document))
    except (_NotPlain, TypeError, ValueError):
        # The library takes some unions and bounds for ambiguous.
        return None


def _type_of(schema: Any) -> Any:
    if schema is True or (isinstance(schema, dict) and not schema.keys() - _NOTES):
        return msgspec.Raw
    if not isinstance(schema, dict):
        raise _NotPlain
    said = {name: value for name, value in schema.items() if name not in _NOTES}
    names = said.pop("type", None)
    if "enum" in said:
        return _choice_of(said, names)
    if isinstance(names, str):
        names = [names]
    if not names:
        raise _NotPlain
    kinds: list[Any] = []
    unasked = set(said)
    for name in names:
        # Each for itself: a bound is one for whole numbers and for all others.
        left = dict(said)
        kinds.append(_KINDS[name](left))
        unasked &= left.keys()
    # What no kind has asked for is nothing that a decoder can look at.
    if unasked:
        raise _NotPlain
    return Union[tuple(kinds)]  # noqa: UP007 - made of a list


def _choice_of(said: dict[str, Any], names: Any) -> Any:
    values = said.pop("enum")
    is_text = all(isinstance(value, str) for value in values)
    if said or not values or not is_text or names not in (None, "string"):
        raise _NotPlain
    return Literal[tuple(values)]


def _object(said: dict[str, Any]) -> Any:
    properties, required = said.pop("properties", {}), said.pop("required", [])
    is_open = said.pop("additionalProperties", True)
    if not isinstance(is_open, bool) or not set(required) <= set(properties):
        raise _NotPlain
    fields: list[Any] = []
    for number, (name, schema) in enumerate(properties.items()):
        found = _type_of(schema)
        if name in required:
            fields.append((f"f{number}", found))
        else:
            fields.append((f"f{number}", Union[found, UnsetType], UNSET))  # noqa: UP007 - one of them is made
    names = {f"f{number}": name for number, name in enumerate(properties)}
    return msgspec.defstruct("Payload", fields, kw_only=True, gc=False, rename=names, forbid_unknown_fields=not is_open)


def _array(said: dict[str, Any]) -> Any:
    items: Any = list[_type_of(said.pop("items", True))]  # type: ignore[misc]
    return _within(items, said, minItems="min_length", maxItems="max_length")


def _string(said: dict[str, Any]) -> Any:
    return _within(str, said, minLength="min_length", maxLength="max_length")


def _integer(said: dict[str, Any]) -> Any:
    return _within(int, said, **_BOUNDS)


def _number(said: dict[str, Any]) -> Any:
    return _within(float, said, **_BOUNDS)


def _within(kind: Any, said: dict[str, Any], **names: str) -> Any:
    bounds = {names[name]: said.pop(name) for name in names if name in said}
    if any(abs(bound) >= _EXACT for bound in bounds.values()):
        raise _NotPlain
    return Annotated[kind, Meta(**bounds)] if bounds else kind


_KINDS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda _: bool,
    "null": lambda _: None,
}
