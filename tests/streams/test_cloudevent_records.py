"""An event as a record of Kafka's: its attributes are headers, its data the value."""

import json

from streams.cloudevents.records import record_of

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(**fields):
    stored = {
        "partition": 2,
        "offset": 7,
        "recorded_at": "2026-11-22T10:00:01.250000Z",
        "id": "e-1",
        "type": "order.created",
        "key": None,
        "occurred_at": None,
        "headers": {},
        "payload": {"n": 1},
    }
    return json.dumps(stored | fields).encode()


def record(**fields):
    return record_of(event(**fields), stream="orders", partition_id=91)


def headers(**fields):
    return dict(record(**fields).headers)


def test_an_event_is_a_cloudevent_in_binary_mode_with_its_place_beside_it():
    assert headers(occurred_at="2026-11-22T10:00:00Z", key="c-7") == {
        "ce_specversion": b"1.0",
        "ce_id": b"e-1",
        "ce_source": b"/api/v1/streams/orders",
        "ce_type": b"order.created",
        "ce_time": b"2026-11-22T10:00:00Z",
        "ce_partitionkey": b"c-7",
        "ce_recordedtime": b"2026-11-22T10:00:01.250000Z",
        "ce_stream": b"orders",
        "ce_partition": b"2",
        "ce_offset": b"7",
        "content-type": b"application/json",
        "ef-offset": b"7",
        "ef-log": b"91",
    }


def test_no_header_comes_twice():
    names = [name for name, _ in record(headers={"ce-source": "/shop", "tenant": "a"}).headers]
    assert len(names) == len(set(names))


def test_the_key_is_the_events_and_may_be_missing():
    assert record(key="größe").key == "größe".encode()
    assert record().key is None


def test_the_value_is_the_payload_byte_for_byte():
    raw = event().replace(b'{"n": 1}', b'{"n":1.10, "n":123456789012345678901234567890}')
    value = record_of(raw, stream="orders", partition_id=91).value
    assert value == b'{"n":1.10, "n":123456789012345678901234567890}'


def test_headers_of_an_event_are_extensions_and_text_stays_what_it_is():
    found = headers(headers={"traceparent": TRACE, "tenant": "größe", "ce-source": "/shop", "x_y": "1"})
    assert (found["ce_traceparent"], found["ce_tenant"], found["ce_source"]) == (
        TRACE.encode(),
        "größe".encode(),
        b"/shop",
    )
    assert not any("x_y" in name for name in found)


def test_data_that_is_no_json_has_its_own_bytes_and_its_own_type():
    given = {"ce-data": "base64", "ce-datacontenttype": "image/png"}
    found = record(headers=given, payload="iVBO")
    assert (found.value, dict(found.headers)["content-type"]) == (b"\x89PN", b"image/png")
    assert "ce_datacontenttype" not in dict(found.headers)


def test_an_event_without_data_has_no_value_and_no_type_of_it():
    found = record(headers={"ce-data": "absent"}, payload=None)
    assert found.value is None
    assert "content-type" not in dict(found.headers)


def test_a_payload_of_null_is_data():
    assert record(payload=None).value == b"null"


def test_an_erased_event_has_no_data_and_says_when_it_was_erased():
    raw = event(payload=None)[:-1] + b',"erased":{"bytes":120,"at":"2026-11-23T10:00:00.000000Z"}}'
    found = record_of(raw, stream="orders", partition_id=91)
    assert (found.value, dict(found.headers)["ce_erasedtime"]) == (None, b"2026-11-23T10:00:00Z")


def test_booleans_and_numbers_are_as_cloudevents_write_them():
    found = headers(headers={"ce-typed-attributes": "sampled count", "ce-sampled": "true", "ce-count": "7"})
    assert (found["ce_sampled"], found["ce_count"]) == (b"true", b"7")
