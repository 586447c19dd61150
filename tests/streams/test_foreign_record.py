"""How records look that others wrote to a topic: nothing of them is left out, and all are events."""

import json
from base64 import b64encode

import pytest

from streams.cloudevents.outgoing import render_cloudevent
from streams.foreign_record import ForeignRecord, record_of
from streams.stored_event import decode_event, place_records
from streams.times import moment_of


def shown(value, *, key=None, headers=()):
    record = record_of(ForeignRecord(value, key, headers, "t-0-7"))
    assert b"\n" not in record and b"\r" not in record
    assert record.startswith(b'{"id":')
    assert b'","type":"' in record
    return json.loads(record)


def as_event(value, *, key=None, headers=()):
    record = record_of(ForeignRecord(value, key, headers, "t-0-7"))
    [event] = place_records([record[1:]], partition=0, first_offset=8, recorded_at=moment_of(0))
    return event


def test_a_record_of_ours_is_the_event_that_it_was():
    value = b'{"id":"a","type":"order.created","key":"k","occurred_at":null,"headers":{"h":"1"},"payload":{"n":1e400}}'
    assert record_of(ForeignRecord(value, b"other", [("ef-req", b"x" * 20)], "p")) == value


def test_what_a_schema_said_of_it_stays():
    value = b'{"id":"a","type":"t","key":null,"occurred_at":null,"headers":{},"payload":1,"schema":{"version":3,"valid":false}}'
    assert record_of(ForeignRecord(value, None, (), "p")) == value
    assert decode_event(as_event(value)).schema.version == 3


@pytest.mark.parametrize(
    "value",
    [
        b'{"order_id": 42}',
        b'{"id":"a","type":"t"}',
        b'{"id":"a","payload":1}',
        b'{"type":"t","payload":1}',
        b'{"id":"a","type":"t","payload":1,"offset":9}',
        b'{"id":"a","type":"t","payload":1,"partition":9}',
        b'{"id":"a","type":"t","payload":1,"recorded_at":"2020-01-01T00:00:00Z"}',
        b'{"id":"a","type":"t","payload":1,"stream":"orders"}',
        b'{"id":"a","type":"<script>","payload":1}',
        b'{"id":"","type":"t","payload":1}',
        b'{"id":5,"type":"t","payload":1}',
        b"[1,2]",
        b"17",
        b'"text"',
        b"null",
        b'{"n":12345678901234567890123}',
    ],
)
def test_other_json_is_the_payload_byte_by_byte(value):
    event = as_event(value, key=b"customer-7", headers=[("trace", b"abc")])
    decoded = decode_event(event)
    assert bytes(decoded.payload) == value
    assert (decoded.partition, decoded.offset) == (0, 8)
    assert (decoded.id, decoded.type, decoded.key, decoded.headers) == (
        "t-0-7",
        "event",
        "customer-7",
        {"trace": "abc"},
    )


def test_json_over_several_lines_is_put_on_one():
    assert shown(b'{\n  "a": [1,\r\n 2]\n}\n')["payload"] == {"a": [1, 2]}


@pytest.mark.parametrize(
    "value",
    [
        b"plain text",
        b"",
        b"\x00\x01",
        b"\xff\xfe",
        b'{"a":NaN}',
        b'{"a":1}{"b":2}',
        b"[" * 70 + b"]" * 70,
        b'"\\ud800"',
    ],
)
def test_what_is_no_json_is_base64_and_says_so(value):
    event = shown(value)
    assert event["payload"] == b64encode(value).decode()
    assert event["headers"] == {"ce-data": "base64"}
    given = json.loads(render_cloudevent(as_event(value), stream="s"))
    assert given["data_base64"] == b64encode(value).decode()


def test_a_tombstone_is_nothing_and_says_so():
    event = shown(None, key=b"k")
    assert (event["payload"], event["key"], event["headers"]) == (None, "k", {"ce-data": "absent"})
    assert "data" not in json.loads(render_cloudevent(as_event(None), stream="s"))


@pytest.mark.parametrize(("key", "told"), [(b"\xff", None), (b"x" * 513, None), (b"", None), ("ü".encode(), "ü")])
def test_a_key_that_no_event_could_have_is_a_header(key, told):
    event = shown(b"1", key=key)
    assert event["key"] == told
    assert event["headers"] == ({} if told or not key else {"kafka-key.base64": b64encode(key).decode()})


def test_headers_that_are_no_text_are_kept_too():
    event = shown(b"1", headers=[("a", b"1"), ("a", b"2"), ("b", None), ("c", b"\xff"), ("ef-req", b"x")])
    assert event["headers"] == {"a": "2", "b": "", "c.base64": "/w=="}


def test_nobody_says_by_a_header_that_a_payload_is_something_else():
    assert shown(b'"aGk="', headers=[("ce-data", b"base64")])["headers"] == {}


BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"a-1"),
    ("ce_source", b"/shop"),
    ("ce_type", b"order.created"),
    ("ce_time", b"2026-11-22T10:00:00Z"),
    ("traceparent", b"00-x"),
]


def test_a_cloudevent_in_binary_mode_is_that_event():
    event = shown(b'{"n":1}', key=b"k", headers=[*BINARY, ("content-type", b"application/json")])
    assert (event["id"], event["type"], event["key"]) == ("a-1", "order.created", "k")
    assert event["occurred_at"] == "2026-11-22T10:00:00Z"
    assert event["headers"] == {"traceparent": "00-x", "ce-source": "/shop", "ce-datacontenttype": "application/json"}
    assert event["payload"] == {"n": 1}


def test_its_data_may_be_bytes():
    event = shown(b"\x01", headers=[*BINARY, ("content-type", b"image/png")])
    assert (event["payload"], event["headers"]["ce-data"]) == ("AQ==", "base64")


def test_a_cloudevent_in_structured_mode_is_that_event():
    value = b'{"specversion":"1.0","id":"a-1","source":"/shop","type":"order.created","data":{"n":1}}'
    event = shown(value, headers=[("content-type", b"application/cloudevents+json; charset=utf-8")])
    assert (event["id"], event["type"], event["payload"]) == ("a-1", "order.created", {"n": 1})


@pytest.mark.parametrize(
    "headers",
    [[("ce_specversion", b"1.0")], [("ce_specversion", b"0.3"), *BINARY[1:]], [*BINARY, ("ce_id", b"\xff")]],
)
def test_what_only_looks_like_a_cloudevent_is_shown_as_anything_else(headers):
    event = shown(b'{"n":1}', headers=headers)
    assert (event["id"], event["type"], event["payload"]) == ("t-0-7", "event", {"n": 1})
    assert event["headers"]
