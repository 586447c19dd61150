"""What the quick decoder takes, the schema takes: it may be too strict, and never too kind."""

import json
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.schemas import ORDER
from streams.schemas.quick import make_quick_decoder

NAMES = st.sampled_from(["a", "b", "ä", "a/b", "", "type"])
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 1.0, -0.0, 1e2, 2**53, 2**63, 2**64, 10**30, 1e300]))
TEXTS = st.sampled_from(["", "a", "ab", "é", "😀", "😀😀", "\ud7ff", "\\", '"'])
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
BOUNDS = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, 2**53, 10**20]))
LEAVES = st.one_of(
    st.just(True),
    st.just({}),
    st.sampled_from(
        [{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, {"type": ["number", "string"]}]
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number", ["integer", "number"], ["number", "integer"]])},
        optional=dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), BOUNDS),
    ),
    st.fixed_dictionaries(
        {"type": st.just("string")}, optional={"minLength": st.integers(0, 2), "maxLength": st.integers(0, 3)}
    ),
    st.fixed_dictionaries({"enum": st.lists(TEXTS, min_size=1, max_size=3, unique=True)}),
    st.sampled_from(
        [{"enum": [1, "a"]}, {"const": 1}, {"type": "string", "pattern": "a"}, {"not": {}}, {"minimum": 1}]
    ),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["object", ["object", "null"]]),
                "properties": st.dictionaries(NAMES, inner, max_size=3),
            },
            optional={
                "required": st.lists(NAMES, max_size=2, unique=True),
                "additionalProperties": st.booleans(),
                "description": st.just("x"),
            },
        ),
        st.fixed_dictionaries(
            {"type": st.just("array")},
            optional={"items": inner, "minItems": st.integers(0, 2), "maxItems": st.integers(0, 2)},
        ),
    ),
    max_leaves=5,
)


def takes(decoder: msgspec.json.Decoder[Any], payload: bytes) -> bool:
    try:
        decoder.decode(payload)
    except msgspec.DecodeError:
        return False
    return True


@given(schema=SCHEMAS, values=st.lists(VALUES, min_size=5, max_size=5))
def test_it_takes_nothing_that_the_schema_does_not(schema, values):
    decoder = make_quick_decoder(schema)
    judge = jsonschema_rs.Draft202012Validator(schema)
    for value in values:
        raw = json.dumps(value).encode()
        if decoder is not None and takes(decoder, raw):
            assert judge.is_valid(value), (schema, value)


def test_of_two_members_of_one_name_both_must_fit():
    decoder = make_quick_decoder({"type": "object", "properties": {"a": {"type": "integer"}}})
    assert decoder is not None
    assert takes(decoder, b'{"a":1,"a":2}')
    assert not takes(decoder, b'{"a":1,"a":"x"}')
    assert not takes(decoder, b'{"a":"x","a":1}')


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": True}},
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": "^a"},
        {"type": "integer", "multipleOf": 2},
        {"type": "object", "required": ["a"]},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"properties": {"a": {"type": "string"}}},
        {"anyOf": [{"type": "string"}]},
        False,
    ],
    ids=str,
)
def test_where_a_decoder_cannot_look_the_schema_judges(schema):
    assert make_quick_decoder(schema) is None


def test_an_ordinary_schema_has_one():
    decoder = make_quick_decoder(ORDER)
    assert decoder is not None
    order = {"order_id": 1, "customer": {"name": "A", "city": "B"}, "items": [], "total": 1, "currency": "EUR"}
    assert takes(decoder, json.dumps(order).encode())
    assert not takes(decoder, json.dumps(order | {"currency": "XXX"}).encode())


@pytest.mark.parametrize("kind", ["integer", "number"])
@pytest.mark.parametrize("bound", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
def test_a_bound_is_the_same_bound(kind, bound):
    schema = {"type": kind, bound: 1}
    decoder, judge = make_quick_decoder(schema), jsonschema_rs.Draft202012Validator(schema)
    assert decoder is not None
    for value in (-1, 0, 1, 2, 10**30, -(10**30)):
        assert takes(decoder, b"%d" % value) == judge.is_valid(value), value


@pytest.mark.parametrize(
    "kinds", [["integer", "number"], ["number", "integer"], ["number", "null", "integer"]], ids=str
)
@pytest.mark.parametrize("bound", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
def test_a_bound_holds_for_every_kind_of_number_that_a_schema_names(kinds, bound):
    schema = {"type": kinds, bound: 1}
    decoder, judge = make_quick_decoder(schema), jsonschema_rs.Draft202012Validator(schema)
    for value in (-1, 0, 0.5, 1, 1.5, 2, 10**30, -(10**30)):
        raw = json.dumps(value).encode()
        assert not (decoder and takes(decoder, raw)) or judge.is_valid(value), value


@pytest.mark.parametrize(
    ("schema", "sizes"),
    [
        ({"type": "string", "minLength": 1}, ['""', '"a"']),
        ({"type": "string", "maxLength": 1}, ['"😀"', '"ab"']),
        ({"type": "array", "minItems": 1}, ["[]", "[1]"]),
        ({"type": "array", "maxItems": 1}, ["[1]", "[1,2]"]),
    ],
    ids=str,
)
def test_a_size_is_the_same_size(schema, sizes):
    decoder, judge = make_quick_decoder(schema), jsonschema_rs.Draft202012Validator(schema)
    assert decoder is not None
    assert [takes(decoder, size.encode()) for size in sizes] == [judge.is_valid(json.loads(size)) for size in sizes]
