"""The parts of a JSON Schema 2020-12: which keywords hold further schemas, and at which value those look."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

# Schemas that look at the same value as the schema they stand in.
_SAME_VALUE: Final = ("not", "if", "then", "else")
_SAME_VALUE_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SAME_VALUE_MAPS: Final = ("dependentSchemas",)
# Schemas that look at a value inside it.
_INNER_VALUE: Final = (
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
)
_INNER_VALUE_LISTS: Final = ("prefixItems",)
_INNER_VALUE_MAPS: Final = ("properties", "patternProperties")
# Schemas that look at nothing until they are referred to.
_DEFINITIONS: Final = ("$defs", "definitions")

KNOWN_KEYWORDS: Final = frozenset(
    {
        *_SAME_VALUE,
        *_SAME_VALUE_LISTS,
        *_SAME_VALUE_MAPS,
        *_INNER_VALUE,
        *_INNER_VALUE_LISTS,
        *_INNER_VALUE_MAPS,
        *_DEFINITIONS,
        *("$schema", "$id", "$ref", "$anchor", "$comment"),
        *("type", "enum", "const", "required", "dependentRequired", "pattern", "format", "multipleOf"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"),
        *("minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "minProperties", "maxProperties"),
        *("contentEncoding", "contentMediaType"),
        *("title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples"),
    }
)

Path = tuple[str | int, ...]


class Part(NamedTuple):
    """A schema within a schema: where it stands, and under which keyword of the one around it."""

    path: Path
    keyword: str
    schema: Any


def parts_of(schema: dict[str, Any], path: Path = ()) -> Iterator[Part]:
    """Each schema that stands directly in another one; what has not the right form is passed over."""
    for keyword in (*_SAME_VALUE, *_INNER_VALUE):
        if keyword in schema:
            yield Part((*path, keyword), keyword, schema[keyword])
    for keyword in (*_SAME_VALUE_LISTS, *_INNER_VALUE_LISTS):
        items = schema.get(keyword)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            yield Part((*path, keyword, index), keyword, item)
    for keyword in (*_SAME_VALUE_MAPS, *_INNER_VALUE_MAPS, *_DEFINITIONS):
        named = schema.get(keyword)
        for name, item in (named if isinstance(named, dict) else {}).items():
            yield Part((*path, keyword, name), keyword, item)


def all_parts(schema: Any) -> Iterator[Part]:
    """A schema and every schema within it, from the outside in."""
    waiting = [Part((), "", schema)]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part.schema, dict):
            waiting.extend(reversed(list(parts_of(part.schema, part.path))))


def looks_at_the_same_value(keyword: str) -> bool:
    return keyword in _SAME_VALUE or keyword in _SAME_VALUE_LISTS or keyword in _SAME_VALUE_MAPS


def looks_inside(keyword: str) -> bool:
    return keyword in _INNER_VALUE or keyword in _INNER_VALUE_LISTS or keyword in _INNER_VALUE_MAPS


def pointer_of(path: Path) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def resolve(document: Any, reference: str, anchors: dict[str, Any]) -> Any:
    """Return what a reference within the document names: `#`, `#/a/pointer` or `#anchor`.

    Raises:
        LookupError: nothing is there.
    """
    fragment = reference.removeprefix("#")
    if not fragment:
        return document
    if not fragment.startswith("/"):
        return anchors[fragment]
    found = document
    for part in fragment[1:].split("/"):
        name = _unescape(part)
        found = found[int(name)] if isinstance(found, list) and name.isdecimal() else _member(found, name)
    return found


def _member(found: Any, name: str) -> Any:
    # Into a number or a text leads nothing.
    return (found if isinstance(found, dict) else {})[name]


def _unescape(part: str) -> str:
    return unquote(part).replace("~1", "/").replace("~0", "~")
