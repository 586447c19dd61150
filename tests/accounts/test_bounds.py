"""Bounds come first: what is too much is refused before its parts are looked at, and few faults are kept."""

import random
import tracemalloc

import orjson
import pytest
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from accounts.conf import MAX_BODY_FIELDS, MAX_FAULTS, MAX_FIELD_VALUES
from accounts.errors import InvalidUnicode, PayloadTooLarge, TooManyValues
from accounts.http.fields import StrictCharField, StrictListField, StrictMapField, StrictSerializer
from accounts.http.strict_json import decode_object, exceeds_depth, exceeds_values
from tests.client import ApiClient
from tests.factories import make_owner, make_token


class Counting(serializers.Field):
    """Refuses everything, and counts how often it was asked."""

    asked = 0

    def run_validation(self, data=None):
        Counting.asked += 1
        raise ValidationError("no")


@pytest.fixture(autouse=True)
def start_counting():
    Counting.asked = 0


def test_a_list_that_is_too_long_is_refused_before_any_item_is_looked_at():
    with pytest.raises(ValidationError) as caught:
        StrictListField(child=Counting(), max_length=20).run_validation([0] * 21)
    assert (Counting.asked, caught.value.get_codes()) == (0, ["max_length"])


def test_an_object_with_too_many_names_is_refused_before_any_value_is_looked_at():
    with pytest.raises(ValidationError) as caught:
        StrictMapField(child=Counting(), most=20).run_validation({str(n): 0 for n in range(21)})
    assert (Counting.asked, caught.value.get_codes()) == (0, ["too_many"])


def test_a_list_is_judged_until_a_hundred_faults_are_found():
    with pytest.raises(ValidationError) as caught:
        StrictListField(child=Counting(), max_length=1000).run_validation([0] * 1000)
    assert Counting.asked == len(caught.value.detail) == MAX_FAULTS
    StrictListField(child=StrictCharField(), max_length=1000).run_validation(["x"] * 1000)


def test_a_text_that_is_too_long_is_looked_at_no_further():
    def look(_text):
        raise AssertionError("it was looked at")

    field = StrictCharField(max_length=10, validators=[look])
    with pytest.raises(ValidationError) as caught:
        field.run_validation("x" * 11)
    assert caught.value.get_codes() == ["max_length"]


def test_twenty_of_many_unknown_fields_are_told():
    with pytest.raises(ValidationError) as caught:
        StrictSerializer.checked({str(n): 0 for n in range(1000)})
    assert len(caught.value.detail) == 20


# --- bodies ----------------------------------------------------------------------------------------------


def test_a_field_with_more_values_than_any_endpoint_takes_is_named_and_not_decoded():
    body = b'{"a":1,"ids":[' + b"0," * MAX_FIELD_VALUES + b"0]}"
    # What is decoded has eight bytes for each item at the least.
    assert peak_bytes(body) < 5 * len(body)
    with pytest.raises(TooManyValues) as caught:
        decode_object(body)
    assert caught.value.field == "ids"


def peak_bytes(body):
    tracemalloc.start()
    try:
        decode_object(body)
    except TooManyValues:
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return None


def test_a_body_of_more_fields_than_any_endpoint_has_is_refused():
    fields = {str(n): 0 for n in range(MAX_BODY_FIELDS)}
    assert decode_object(orjson.dumps(fields)) == fields
    with pytest.raises(PayloadTooLarge):
        decode_object(orjson.dumps(fields | {"one": "more"}))


def test_commas_and_brackets_in_a_text_are_no_values():
    text = '[{,}]"\\' * MAX_FIELD_VALUES
    assert decode_object(orjson.dumps({"error": text})) == {"error": text}


@pytest.mark.parametrize("count", [MAX_FIELD_VALUES - 1, MAX_FIELD_VALUES, MAX_FIELD_VALUES + 1])
def test_values_are_counted_exactly_where_they_are_many(count):
    # The list itself is one, and so is each item but the first, before which no comma stands.
    assert exceeds_values(orjson.dumps([",[{\\" for _ in range(count)])) == (count > MAX_FIELD_VALUES)


def test_an_escaped_backslash_before_u0000_is_no_nul():
    assert decode_object(rb'{"a":"\\u0000"}') == {"a": r"\u0000"}
    for body in (rb'{"a":"\\\u0000"}', rb'{"\u0000":1}', rb'{"a":[["\u0000"]]}'):
        with pytest.raises(InvalidUnicode):
            decode_object(body)


def naive_depth(document):
    if not isinstance(document, list | dict):
        return 0
    parts = document.values() if isinstance(document, dict) else document
    return 1 + max(map(naive_depth, parts), default=0)


def test_the_depth_is_what_counting_bracket_by_bracket_gives():
    chance = random.Random(7)
    texts = ["", "[", "]", "[]", "]]][[[", '"', "\\", '\\"', "{", 'a"[\\\\"', "x"]

    def make(levels):
        kind = chance.random()
        if not levels or kind < 0.3:
            return chance.choice([1, None, *texts])
        if kind < 0.7:
            return [make(levels - 1) for _ in range(chance.randrange(4))]
        return {chance.choice(texts): make(levels - 1) for _ in range(chance.randrange(3))}

    depths = set()
    for _ in range(3_000):
        document = [make(chance.randrange(12)), [[]] * 3]
        raw, depth = orjson.dumps(document), naive_depth(document)
        assert (exceeds_depth(raw, depth), exceeds_depth(raw, depth - 1)) == (False, True), raw
        depths.add(depth)
    assert depths >= set(range(3, 10))


@pytest.mark.parametrize("unit", [b"[],", b"{},", b'"",', b'["["],', b"[" * 60 + b"]" * 60 + b",", rb'"\\",'])
def test_a_megabyte_of_anything_shallow_is_shallow(unit):
    body = b"[" + unit * (1_000_000 // len(unit)) + b"0]"
    assert not exceeds_depth(body)
    assert exceeds_depth(body.replace(b",0]", b"," + b"[" * 64 + b"]" * 64 + b"]"))


@pytest.mark.parametrize(
    ("bounds", "given", "code", "said"),
    [
        ({"max_length": 5, "min_length": 1}, [], "min_length", "Give at least 1 item."),
        ({"max_length": 5, "min_length": 2}, ["a"], "min_length", "Give at least 2 items."),
        ({"max_length": 1}, ["a", "b"], "max_length", "Give at most 1 item."),
        ({"max_length": 2}, ["a", "b", "c"], "max_length", "Give at most 2 items."),
    ],
)
def test_how_many_items_are_too_few_or_too_many_is_said_in_a_sentence(bounds, given, code, said):
    with pytest.raises(ValidationError) as refused:
        StrictListField(child=StrictCharField(), **bounds).run_validation(given)
    assert [(each.code, str(each)) for each in refused.value.detail] == [(code, said)]


@pytest.mark.usefixtures("db_with_commits")
def test_the_api_says_it_so():
    answer = ApiClient(token=make_token(make_owner())).post("/api-keys", {"name": "k", "scopes": []})
    assert answer.status_code == 422
    assert [(each["pointer"], each["detail"]) for each in answer.json()["errors"]] == [
        ("/scopes", "Give at least 1 item.")
    ]
