"""Schemas that would fetch, hang or confuse are refused when they are registered, and say where."""

import json
import time
from itertools import pairwise
from typing import Any

import pytest

from streams.conf import MAX_VALIDATION_WORK
from streams.errors import InvalidSchema
from streams.schemas.document import check_schema
from streams.schemas.validator import Validator


def faults_of(document: Any) -> list[tuple[str, str]]:
    def register() -> None:
        check_schema(document)
        Validator(document, version=1)

    with pytest.raises(InvalidSchema) as refused:
        register()
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


def chain(length: int, keyword: str = "allOf") -> dict[str, Any]:
    """A schema in which each definition refers twice to the next."""
    names = [f"a{number}" for number in range(length)]
    definitions: dict[str, Any] = {
        name: {keyword: [{"$ref": f"#/$defs/{after}"}] * 2} for name, after in pairwise(names)
    }
    definitions[names[-1]] = {"type": "string"}
    return {"$defs": definitions, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize(
    "reference",
    ["http://127.0.0.1:9/x", "file:///etc/passwd", "other", "//x", "https://json-schema.org/draft/2020-12/schema"],
)
def test_nothing_is_fetched(reference, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("it connects"))
    assert faults_of({"properties": {"a": {"$ref": reference}}}) == [("/properties/a/$ref", "remote_ref_forbidden")]


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"$ref": "#"}, ("/$ref", "endless_ref")),
        ({"allOf": [{"$ref": "#"}]}, ("/allOf/0/$ref", "endless_ref")),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, ("/$defs/b/$ref", "endless_ref")),
        ({"$ref": "#/nowhere"}, ("/$ref", "unknown_ref")),
        ({"$ref": "#/properties"}, ("/$ref", "unknown_ref")),
        ({"x-a": {"type": "strin"}, "$ref": "#/x-a"}, ("/$ref", "unknown_ref")),
        ({"$ref": "#anchor"}, ("/$ref", "unknown_ref")),
        ({"$dynamicRef": "#x"}, ("/$dynamicRef", "not_supported")),
        ({"properties": {"a": {"$id": "http://x.example/"}}}, ("/properties/a/$id", "not_supported")),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, ("/$schema", "unknown_dialect")),
        ({"$schema": 5}, ("/$schema", "unknown_dialect")),
        ({"properties": {"a": {"type": "strin"}}}, ("/properties/a/type", "invalid")),
        ({"properties": 5}, ("/properties", "invalid")),
        ({"items": {"pattern": "("}}, ("/items/pattern", "invalid")),
        ({"pattern": "(?=a)b"}, ("/pattern", "invalid")),
        ({"pattern": "(a{1000}){1000}"}, ("/pattern", "invalid")),
        ({"patternProperties": {"(a)\\1": True}}, ("/patternProperties/(a)\\1", "invalid")),
        ({"enum": [float("inf")]}, ("", "invalid")),
        ({"description": "\ud800"}, ("", "invalid")),
        ([], ("", "expected_object")),
        ("x", ("", "expected_object")),
        ({"description": "x" * 70_000}, ("", "too_long")),
        ({"allOf": [{"pattern": f"^{number}"} for number in range(40)]}, ("", "too_heavy")),
        (chain(30), ("/$defs/a21", "too_heavy")),
        (chain(30, "anyOf"), ("/$defs/a21", "too_heavy")),
    ],
    ids=lambda value: json.dumps(value)[:50] if isinstance(value, dict | list | str) else None,
)
def test_what_may_not_be_one_is_refused_and_pointed_at(document, fault):
    assert faults_of(document) == [fault]


def test_one_that_is_too_deep_is_refused():
    document: dict[str, Any] = {}
    for _ in range(40):
        document = {"not": document}
    assert faults_of(document) == [("", "too_deep")]


@pytest.mark.parametrize(
    ("document", "payload"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 26 + "!"),
        ({"pattern": "^(a+)+$"}, "a" * 500_000 + "!"),
        ({"uniqueItems": True}, [{"a": number} for number in range(3_000)]),
        ({"uniqueItems": True}, [[1.5 + number] for number in range(30_000)]),
        (
            {"$defs": {"n": {"anyOf": [{"properties": {"a": {"$ref": "#/$defs/n"}}}] * 3}}, "$ref": "#/$defs/n"},
            json.loads('{"a":' * 60 + "1" + "}" * 60),
        ),
        ({"items": {"enum": list(range(1_500))}}, ["x"] * 100_000),
    ],
    ids=["backtracking", "a long text", "unique objects", "unique lists", "branching at each level", "a long list"],
)
def test_no_payload_keeps_anybody_waiting(document, payload):
    check_schema(document)
    validator = Validator(document, version=1)
    raw = json.dumps(payload).encode()
    started = time.process_time()
    validator.accepts(raw)
    validator.find_faults(raw, pointer="", limit=100)
    # Five times what it is held to, and a tenth of what any of these would take without its bound.
    assert time.process_time() - started < 5 * MAX_VALIDATION_WORK * 30e-9


def test_a_payload_that_would_take_too_long_is_told_so():
    document = {"$defs": {"n": {"anyOf": [{"properties": {"a": {"$ref": "#/$defs/n"}}}] * 3}}, "$ref": "#/$defs/n"}
    check_schema(document)
    validator = Validator(document, version=4)
    (fault,) = validator.find_faults(b'{"a":' * 60 + b"1" + b"}" * 60, pointer="/payload", limit=5)
    assert (fault.pointer, fault.code, fault.schema_version) == ("/payload", "schema", 4)
    assert "too large and too deep" in fault.detail
    assert validator.accepts(b'{"a":{"a":{"a":1}}}')


@pytest.mark.parametrize("number", [b"1e999", b"-1e999"])
def test_a_number_that_is_none_fits_nothing(number):
    validator = Validator({"type": "number"}, version=1)
    assert not validator.accepts(number)
    assert "number" in validator.find_faults(number, pointer="", limit=1)[0].detail


def test_a_number_of_any_length_is_a_number():
    validator = Validator({"type": "integer", "minimum": 10}, version=1)
    assert validator.accepts(b"1" + b"0" * 400)
    assert not validator.accepts(b"-1" + b"0" * 400)


def test_what_is_told_quotes_no_payload():
    validator = Validator({"enum": ["a"]}, version=1)
    (fault,) = validator.find_faults(b'"secret"', pointer="", limit=5)
    assert "secret" not in fault.detail
