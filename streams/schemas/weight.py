"""What it costs to hold a payload to a schema, at most, told from the schema alone.

A validator goes through a schema once for each value, but a schema can send it around: `allOf` of two references to an
`allOf` of two references … doubles the work with each line, a definition that is reached in two ways doubles it with
each level of the payload, and a reference that leads back to itself never ends. None of that shows in the size of the
schema. So the work is counted before the schema is accepted: how much is looked at for one value, and how often an
inner value is come to for each time that the value around it was.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from streams.conf import MAX_JSON_DEPTH, MAX_SCHEMA_PATTERNS, MAX_SCHEMA_WEIGHT
from streams.errors import EventFault
from streams.schemas.parts import Path, all_parts, looks_at_the_same_value, looks_inside, parts_of, pointer_of, resolve

# To know what is unevaluated, everything beside it is gone through once more.
_TWICE: Final = ("unevaluatedItems", "unevaluatedProperties")
_LENGTHS: Final = ("enum", "required", "dependentRequired")
# Growth beyond this is beyond every budget.
_BEYOND: Final = 10**15


class TooHeavy(ValueError):
    """A schema that could keep a validator busy for too long; `fault` says where."""

    def __init__(self, fault: EventFault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


@dataclass(slots=True)
class _Sum:
    """What a schema does to one value, with all that it refers to for the same value.

    Attributes:
        weight: keywords that are looked at, each as often as it is come to.
        patterns: patterns and formats that look at a text.
        visits: how often a value inside is come to, at most.
        inner: the schemas that values inside are held to, by identity.
    """

    weight: int
    patterns: int
    visits: int
    inner: dict[int, Any] = field(default_factory=dict)

    def add(self, other: "_Sum", times: int) -> None:
        self.weight += times * other.weight
        self.patterns += times * other.patterns
        self.visits += times * other.visits
        self.inner |= other.inner


class _Scale:
    def __init__(self, document: Any, anchors: dict[str, Any]) -> None:
        self._document = document
        self._anchors = anchors
        self._paths = {id(part.schema): part.path for part in all_parts(document)}
        self._sums: dict[int, _Sum] = {}
        self._under_way: set[int] = set()

    def sum_of(self, schema: Any, come_from: Path) -> _Sum:
        """Return what a schema does to one value.

        Args:
            come_from: where it is named.

        Raises:
            TooHeavy
        """
        if not isinstance(schema, dict):
            return _Sum(1, 0, 0)
        known = self._sums.get(id(schema))
        if known is not None:
            return known
        if id(schema) in self._under_way:
            raise TooHeavy(
                EventFault(
                    pointer_of(come_from), "endless_ref", "It refers to itself for the same value, and never ends."
                )
            )
        self._under_way.add(id(schema))
        found = self._sum_up(schema)
        self._under_way.discard(id(schema))
        if found.weight > MAX_SCHEMA_WEIGHT:
            detail = f"More than {MAX_SCHEMA_WEIGHT} keywords would look at one value, with all that it refers to."
            raise TooHeavy(EventFault(self._pointer(schema), "too_heavy", detail))
        if found.patterns > MAX_SCHEMA_PATTERNS:
            detail = f"More than {MAX_SCHEMA_PATTERNS} patterns and formats would look at one text."
            raise TooHeavy(EventFault(self._pointer(schema), "too_heavy", detail))
        self._sums[id(schema)] = found
        return found

    def _pointer(self, schema: dict[str, Any]) -> str:
        return pointer_of(self._paths[id(schema)])

    def _sum_up(self, schema: dict[str, Any]) -> _Sum:
        path = self._paths[id(schema)]
        lengths = sum(len(schema[name]) for name in _LENGTHS if isinstance(schema.get(name), list | dict))
        named = schema.get("patternProperties")
        patterns_of_names = len(named) if isinstance(named, dict) else 0
        found = _Sum(
            weight=1 + len(schema) + lengths + patterns_of_names,
            patterns=("pattern" in schema) + ("format" in schema) + patterns_of_names,
            visits=_visits(schema, patterns_of_names),
        )
        times = 2 if any(name in schema for name in _TWICE) else 1
        for part in parts_of(schema, path):
            if looks_at_the_same_value(part.keyword):
                found.add(self.sum_of(part.schema, part.path), times)
            elif looks_inside(part.keyword) and isinstance(part.schema, dict):
                found.inner[id(part.schema)] = part.schema
        if "$ref" in schema:
            found.add(self.sum_of(resolve(self._document, schema["$ref"], self._anchors), (*path, "$ref")), times)
        return found


def _visits(schema: dict[str, Any], patterns_of_names: int) -> int:
    """How often this schema alone comes to one and the same inner value, at most."""
    members = any(name in schema for name in ("properties", "additionalProperties", "unevaluatedProperties"))
    items = any(name in schema for name in ("items", "prefixItems", "unevaluatedItems"))
    return max(members + patterns_of_names, items + ("contains" in schema))


def weigh(document: Any, anchors: dict[str, Any]) -> tuple[int, ...]:
    """Return how much is looked at for one value of a payload, at most: for payloads that nest 0, 1, 2 … levels deep.

    The last number is that of all that are deeper.

    Raises:
        TooHeavy
    """
    scale = _Scale(document, anchors)
    sums = {
        id(part.schema): scale.sum_of(part.schema, part.path)
        for part in all_parts(document)
        if isinstance(part.schema, dict)
    }
    if not sums:
        return (1,)
    now = {name: each.weight for name, each in sums.items()}
    works = [now[id(document)]]
    for _ in range(MAX_JSON_DEPTH):
        before = now
        now = {
            name: max(
                each.weight,
                min(_BEYOND, each.visits * max((before.get(inner, 1) for inner in each.inner), default=0)),
            )
            for name, each in sums.items()
        }
        works.append(now[id(document)])
        if now == before:
            break
    while len(works) > 1 and works[-1] == works[-2]:
        works.pop()
    return tuple(works)
