"""A version that is taken for compatible is so by what payloads are held to, and what breaks is named and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.schemas.comparing import compare
from streams.schemas.compatibility import Compatibility, find_breaks
from streams.schemas.validator import Validator

FORMATS = st.sampled_from(["date", "email", "uuid", "ipv4", "int64", "no-such-format"])
SCALARS = st.sampled_from(
    [None, True, False, 0, 1, 2, 1.0, 0.5, 2**53, "", "a", "ab", "2026-01-01", "a@b.example", "é"]
)
LEAVES = st.one_of(
    st.booleans(),
    st.fixed_dictionaries({"const": SCALARS}),
    st.fixed_dictionaries({"enum": st.lists(SCALARS, min_size=1, max_size=3)}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["string", ["string", "null"]])},
        optional={"format": FORMATS, "minLength": st.integers(0, 2), "maxLength": st.integers(0, 2)},
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number", ["integer", "string"]])},
        optional={"minimum": st.integers(0, 2), "exclusiveMaximum": st.integers(0, 2), "format": FORMATS},
    ),
)
SCHEMAS = st.one_of(
    LEAVES,
    st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("ab"), LEAVES, max_size=2)},
        optional={"required": st.just(["a"]), "additionalProperties": st.booleans()},
    ),
)
PAYLOADS = st.one_of(SCALARS, st.dictionaries(st.sampled_from("abc"), SCALARS, max_size=2))


@given(old=SCHEMAS, new=SCHEMAS, payloads=st.lists(PAYLOADS, min_size=8, max_size=8))
def test_what_is_taken_for_compatible_is_so_by_what_payloads_are_held_to(old, new, payloads):
    before, after = Validator(old, version=1), Validator(new, version=2)
    backward = not find_breaks(old, new, Compatibility.BACKWARD)
    forward = not find_breaks(old, new, Compatibility.FORWARD)
    for payload in payloads:
        raw = json.dumps(payload).encode()
        if backward and before.accepts(raw):
            assert after.accepts(raw), payload
        if forward and after.accepts(raw):
            assert before.accepts(raw), payload


def breaks(old: object, new: object) -> list[tuple[str, str]]:
    return [(each.pointer, each.breaks) for each in find_breaks(old, new, Compatibility.FULL)]


def test_a_format_is_compared_as_it_is_checked():
    text, date = {"type": "string"}, {"type": "string", "format": "date"}
    assert breaks(text, date) == [("/format", "backward")]
    assert breaks(date, text) == [("/format", "forward")]
    assert breaks(date, {"type": "string", "format": "uuid"}) == [("/format", "backward"), ("/format", "forward")]


def test_a_format_that_nobody_checks_breaks_nothing():
    assert breaks({"type": "integer"}, {"type": "integer", "format": "int64"}) == []
    named = {"type": "string", "format": "no-such-format"}
    assert breaks({**named, "maxLength": 2}, {**named, "maxLength": 3}) == [("/maxLength", "forward")]


@pytest.mark.parametrize(
    ("old", "new"), [({"const": 1}, {"const": True}), ({"enum": [0, "a"]}, {"enum": [False, "a"]})], ids=str
)
def test_a_number_is_no_truth_value(old, new):
    (keyword,) = old
    assert breaks(old, new) == [(f"/{keyword}", "backward"), (f"/{keyword}", "forward")]
    inner, other = {"properties": {"a": old}}, {"properties": {"a": new}}
    assert breaks(inner, other) == [(f"/properties/a/{keyword}", "backward"), (f"/properties/a/{keyword}", "forward")]


@pytest.mark.processes
def test_a_schema_that_is_only_equal_to_python_is_compared():
    found = compare({"const": 1}, {"const": True}, Compatibility.FORWARD)
    assert [(each.pointer, each.breaks) for each in found] == [("/const", "forward")]


def test_a_number_that_is_written_in_another_way_is_the_same():
    assert breaks({"const": 1, "minimum": 0}, {"const": 1.0, "minimum": 0.0}) == []


@pytest.mark.parametrize("keyword", ["$defs", "definitions"])
def test_what_only_moves_to_a_definition_or_back_is_not_named_beside_what_breaks(keyword):
    plain = {"properties": {"a": {"type": "string"}}}
    named = {keyword: {"text": {"type": "string"}}, "properties": {"a": {"$ref": f"#/{keyword}/text"}}}
    assert breaks(plain, named) == breaks(named, plain) == []
    assert breaks(plain, {**named, "required": ["a"]}) == [("/required", "backward")]
    assert breaks(named, {**plain, "required": ["a"]}) == [("/required", "backward")]
    longer = {**named, keyword: {"text": {"type": ["string", "null"]}, "unused": False}}
    assert breaks(named, longer) == [(f"/{keyword}/text/type", "forward")]
