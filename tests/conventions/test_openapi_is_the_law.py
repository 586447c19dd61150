"""What the OpenAPI document allows is taken, and what it does not allow is refused: every value that it bounds, at its
bounds and beyond them, one at a time in a request that is fine.

The document itself says which is which. What is fine by it may be refused by a rule that no schema can say, and those
are listed (`tests/fuzz/reasons.py`): `make fuzz` asks the same by chance and for long.
"""

import copy
import itertools
from collections import ChainMap
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from streams.conf import MAX_WAIT_SECONDS
from tests.conventions.openapi import Operation, operations, resolved, validator_of
from tests.conventions.test_permission_table import ROWS, Cast, _filled
from tests.fuzz.reasons import is_beyond_any_schema

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits")]

# Nobody signs in to ask these, so they are not in the table of who may do what.
OPEN = {
    ("POST", "/auth/login"): ("POST /auth/login", {"email": "nobody@example.com", "password": "a guess"}),
    ("POST", "/auth/refresh"): ("POST /auth/refresh", {"refresh": "none"}),
    ("POST", "/auth/logout"): ("POST /auth/logout", {"refresh": "none"}),
}
REFUSED_BY_FORM = {400, 404, 413, 422}
NOT_REFUSED_BY_FORM = {*range(200, 300), 304, 401, 403, 404, 409, 410, 412, 429}
# Of every kind, with those that a kind parser would let pass.
ANYTHING = [None, True, 0, -1, 1.5, "", " ", "a", "5", "a\x00b", [], ["a"], {}, {"a": 1}]
TEXTS = ["", " ", "a", "0", "1", "-1", "01", "1.5", "1e3", "true", "maybe", "a\x00b", "A", "a/b", "\u0663", "latest"]
OF_A_FORMAT = {
    "date-time": ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00+01:00", "2026-11-22T10:00:00", "2026-11-22", "yesterday"],
    "email": ["admin@example.com", "nobody", "a@b@example.com"],
    "uri": ["https://receiver.example/", "ftp://receiver.example/", "//receiver.example"],
    "uuid": ["01a2058e-b606-7094-8c31-55e4ce2d8688", "01a2058e"],
}  # fmt: skip
HEADER_TEXTS = [
    "0",
    "1",
    "01",
    "-1",
    "1.5",
    str(2**63 - 1),
    str(2**63),
    "a",
    "a b",
    "a,b",
    '"a"',
    "return=minimal",
    "*",
    "~!#",
    "a" * 255,
    "a" * 256,
]
WITH_A_BODY = [each for each in operations() if each.body is not None]
WITH_PARAMETERS = [each for each in operations() if each.parameters("path") or each.parameters("query")]

WITH_HEADERS = [each for each in operations() if each.parameters("header")]


@pytest.fixture
def asked():
    """Sends what the table says, with something else at one place; the session is an admin's."""
    return Asked()


class Asked:
    def __init__(self) -> None:
        self.cast = Cast()
        self.names = ChainMap({"new": "new"}, self.cast.make_objects("internal"))

    def base(self, operation: Operation) -> tuple[str, Any]:
        """The path and the body of a request that is fine."""
        found = ROWS.get((operation.method, operation.template)) or OPEN[operation.method, operation.template]
        names = ChainMap({"own": self.cast.own_channels["admin"]}, self.names)
        path = found[0].split(" ", 1)[1]
        return _filled(path, names), _filled(found[1], names)

    def send(self, operation: Operation, path: str, body: Any, **headers: str) -> Any:
        client = self.cast.clients["admin"]
        if operation.method in ("POST", "PATCH"):
            return getattr(client, operation.method.lower())(path, {} if body is None else body, **headers)
        if operation.method == "GET":
            return client.get(path, headers=headers)
        return {"DELETE": client.delete, "PUT": client.put}[operation.method](path, **headers)


def check(answer: Any, *, is_fine: bool, what: str) -> None:
    """Hold the server to what the document says of a request."""
    if is_fine:
        is_taken = answer.status_code in NOT_REFUSED_BY_FORM or is_beyond_any_schema(answer.json())
        assert is_taken, f"{what} is fine by the document, and refused: {answer.content[:500]!r}"
    else:
        assert answer.status_code in REFUSED_BY_FORM, f"{what} is not fine by the document: {answer.status_code}"


def values_for(schema: dict[str, Any]) -> Iterable[Any]:
    """Values at the bounds of a schema, beyond them, and of other kinds; each once."""
    return {repr(value): value for value in _values_for(schema)}.values()


def _values_for(schema: dict[str, Any]) -> Iterator[Any]:
    schema = resolved(schema)
    yield from ANYTHING
    yield from schema.get("enum", ())
    yield from OF_A_FORMAT.get(schema.get("format", ""), ())
    for name in ("minimum", "maximum"):
        if name in schema:
            yield from (schema[name] - 1, schema[name], schema[name] + 1)
    for length in (schema.get("maxLength"), 128 if "pattern" in schema else None):
        if length is not None:
            yield from ("a" * length, "a" * (length + 1))
    for name in ("minItems", "maxItems"):
        if name in schema:
            item = next(iter(fine_values(schema["items"])), "a")
            yield from ([item] * schema[name], [item] * (schema[name] + 1))
    if "maxProperties" in schema:
        yield from ({str(number): "a" for number in range(schema["maxProperties"] + more)} for more in (0, 1))
    for other in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from _values_for(other)


def fine_values(schema: dict[str, Any]) -> Iterator[Any]:
    validator = validator_of(schema)
    return (value for value in values_for(schema) if validator.is_valid(value))


def places_in(schema: dict[str, Any], *, depth: int = 3) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Every place in a body that has a schema of its own."""
    schema = resolved(schema)
    for name, inner in schema.get("properties", {}).items():
        yield (name,), inner
        if depth:
            yield from (((name, *place), each) for place, each in places_in(inner, depth=depth - 1))
    if "items" in schema and depth:
        yield (0,), schema["items"]
        yield from (((0, *place), each) for place, each in places_in(schema["items"], depth=depth - 1))
    if isinstance(schema.get("additionalProperties"), dict):
        yield ("a",), schema["additionalProperties"]
    for variant in schema.get("oneOf", ())[:1]:
        yield from places_in(variant, depth=depth)


def put(body: Any, place: tuple[str | int, ...], value: Any) -> Any:
    """The body with another value at one place."""
    if not place:
        return value
    body = copy.deepcopy(body)
    first, *rest = place
    if isinstance(first, int):
        items = list(body) if isinstance(body, list) else []
        return [put(items[0] if items else None, tuple(rest), value), *items[1:]]
    fields = dict(body) if isinstance(body, dict) else {}
    return {**fields, first: put(fields.get(first), tuple(rest), value)}


def without(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in body:
        yield {other: value for other, value in body.items() if other != name}


def would_wait(place: str | int, value: Any) -> bool:
    """Whether a request would take its time; waiting is tried elsewhere."""
    seconds = meant(str(value), {"type": "number"}) if place == "wait" else 0
    return isinstance(seconds, float) and 0 < seconds <= MAX_WAIT_SECONDS


@pytest.mark.processes  # A schema is compiled in a process of its own.
@pytest.mark.parametrize("operation", WITH_A_BODY, ids=str)
def test_a_body_is_taken_or_refused_as_the_document_says(asked, operation):
    path, base = asked.base(operation)
    validator = validator_of(operation.body)
    base = {} if base is None else base
    assert validator.is_valid(base), "the table has a body that is fine"
    bodies = [
        put(base, place, value)
        for place, schema in places_in(operation.body)
        for value in values_for(schema)
        if not would_wait(place[-1], value)
    ]
    bodies += [base | {"nonsense": 1}, *without(base)]
    verdicts = set()
    for body in bodies:
        is_fine = validator.is_valid(body)
        check(asked.send(operation, path, body), is_fine=is_fine, what=f"{operation} {str(body)[:300]}")
        verdicts.add(is_fine)
    assert verdicts == {True, False}, "both were tried"


@pytest.mark.parametrize("operation", WITH_HEADERS, ids=str)
def test_a_header_is_taken_or_refused_as_the_document_says(asked, operation):
    path, body = asked.base(operation)
    for parameter in operation.parameters("header"):
        validator = validator_of(parameter["schema"])
        for text in HEADER_TEXTS:
            answer = asked.send(operation, path, body, **{parameter["name"]: text})
            check(
                answer,
                is_fine=validator.is_valid(meant(text, parameter["schema"])),
                what=f"{operation} {parameter['name']}: {text[:200]!r}",
            )


def meant(text: str, schema: dict[str, Any]) -> Any:
    """What a text in an address says, as JSON; one that says nothing of that kind stays a text."""
    kind = resolved(schema).get("type")
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    digits = text.removeprefix("-").replace(".", "", 1 if kind == "number" else 0)
    is_number = text.isascii() and digits.isdecimal() and (digits == "0" or text[0] != "0" or text[1:2] == ".")
    if is_number and kind == "integer":
        return int(text)
    return float(text) if is_number and kind == "number" else text


def texts_for(schema: dict[str, Any]) -> Iterator[str]:
    for value in itertools.chain(TEXTS, values_for(schema)):
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            yield str(value)


@pytest.mark.parametrize("operation", WITH_PARAMETERS, ids=str)
def test_a_parameter_is_taken_or_refused_as_the_document_says(asked, operation):
    path, body = asked.base(operation)
    path, _, query = path.partition("?")
    for parameter in (*operation.parameters("path"), *operation.parameters("query")):
        name, schema = parameter["name"], parameter["schema"]
        validator = validator_of(schema)
        for text in dict.fromkeys(texts_for(schema)):
            if would_wait(name, text):
                continue
            if parameter["in"] == "path":
                if text in ("", ".", "..") or "/" in text:
                    continue
                place = operation.template.split("/").index(f"{{{name}}}")
                parts = path.split("/")
                parts[place] = quote(text, safe="")
                address = "/".join(parts) + (f"?{query}" if query else "")
            else:
                others = [each for each in query.split("&") if each and not each.startswith(f"{name}=")]
                address = f"{path}?{'&'.join([*others, name + '=' + quote(text, safe='')])}"
            answer = asked.send(operation, address, body)
            check(answer, is_fine=validator.is_valid(meant(text, schema)), what=f"{operation} {name}={text[:200]!r}")
