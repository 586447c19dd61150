"""Attributes of a CloudEvent are looked at together where that is enough, one by one where not: the same comes out."""

import msgspec
import pytest

from streams.cloudevents.structured import decode_structured
from streams.errors import InvalidEvents

LEAST = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.created"}
MANY = {f"x{number}": "v" for number in range(28)}


def decode(event: dict, *, spaces: int = 0):
    """Return what becomes of it: headers and payload, or pointers and codes of what is wrong."""
    body = msgspec.json.encode(event)
    try:
        [envelope], _ = decode_structured(body[:-1] + b" " * spaces + b"}")
    except InvalidEvents as refusal:
        return [(fault.pointer, fault.code) for fault in refusal.faults]
    return envelope.headers, bytes(envelope.payload), envelope.occurred_at, envelope.key


@pytest.mark.parametrize(
    "more",
    [
        {},
        MANY,
        MANY | {"x1": "ä", "x2": 7, "x3": -1, "x4": True, "x5": False, "x6": None, "x7": ""},
        {"data": None},
        {"data": {"a": [1, {"b": 2}]}},
        {"data": [1.5, "x"], "x": 1},
        {"data": "text", "data_base64": None},
        {"data_base64": "AAAA", "x": "v"},
        {"time": "2026-11-22T12:00:00+02:00", "partitionkey": "k", "subject": "s", "traceparent": "t"},
        {"x": 2**31 - 1, "y": -(2**31), "z": "a\u00a0b"},
        # What is refused.
        {"x": 2**31},
        {"x": -(2**31) - 1},
        {"x": 1.0},
        {"x": [1]},
        {"x": {"y": 1}, "z": "\u0007"},
        {"x": "\ufffe"},
        {"x": "a\nb", "Y": "v", "": "v"},
        {"x_y": "v"},
        {"\u00e4": "v"},
        {"offset": 1},
        {"x": "v" * 1_100},
        {"x": "ä" * 600},
        {"data": 1, "data_base64": "AAAA"},
        {"data_base64": "!"},
        {"specversion": "0.3"},
        {"specversion": None},
        {"source": ""},
        {"id": 5, "type": True},
        {f"x{number}": "v" for number in range(40)},
        {f"x{number}": "v" for number in range(100)},
        {f"x{number}": "v" * 60 for number in range(28)},
    ],
)
def test_however_they_are_looked_at_the_same_comes_out(more):
    assert decode(LEAST | more) == decode(LEAST | more, spaces=5_000)


def test_a_name_that_is_no_name_is_found_among_many():
    assert decode(LEAST | MANY | {"x_y": "v"}) == [("/x_y", "invalid_attribute_name")]
    assert decode(LEAST | MANY | {"": "v"}) == [("/", "invalid_attribute_name")]
    assert decode(LEAST | MANY | {"offset": "v"}) == [("/offset", "reserved_attribute")]


def test_a_text_that_is_none_is_found_among_many():
    assert decode(LEAST | MANY | {"x3": "\u0085"}) == [("/x3", "invalid_text")]
    assert decode(LEAST | MANY | {"x3": "v" * 1_025}) == [("/x3", "too_long_attribute")]


def test_the_values_of_each_kind_are_kept_as_text_with_their_names():
    headers, *_ = decode(LEAST | {"a": True, "b": False, "c": 0, "d": -5, "e": "5", "f": None, "data": 1})
    assert headers == {
        "ce-source": "/shop",
        "ce-a": "true",
        "ce-b": "false",
        "ce-c": "0",
        "ce-d": "-5",
        "ce-e": "5",
        "ce-typed-attributes": "a b c d",
    }
