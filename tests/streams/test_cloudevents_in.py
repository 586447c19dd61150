"""CloudEvents that are appended: what becomes of each attribute, and that data is kept as it was sent."""

from base64 import b64decode

import orjson
import pytest

from accounts.roles import Role
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream, make_user
from tests.streams.cloudevents import BATCH, MINIMAL, ONE, binary, read_cloudevents, read_plain, without_place

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def shop(owner):
    make_stream("orders", owner=owner)
    return ApiClient(key=make_key(owner))


def append(client, event, path="/streams/orders/events", **headers):
    answer = client.post(path, event, content_type=BATCH if isinstance(event, list) else ONE, **headers)
    assert answer.status_code == 202, answer.content
    return answer.json()


def test_each_attribute_has_its_place_in_the_event(shop):
    append(
        shop,
        MINIMAL
        | {
            "subject": "order 42",
            "time": "2026-11-22T12:00:00+02:00",
            "dataschema": "https://schemas.example/order",
            "datacontenttype": "application/json",
            "partitionkey": "customer-7",
            "comexampleextension1": "value",
            "sampledrate": 5,
            "urgent": True,
            "data": {"n": 1},
        },
    )
    (event,) = read_plain(shop)
    assert event | {"recorded_at": ""} == {
        "partition": 0,
        "offset": 1,
        "recorded_at": "",
        "id": "1",
        "type": "com.example.order.created",
        "key": "customer-7",
        "occurred_at": "2026-11-22T10:00:00Z",
        "headers": {
            "ce-source": "/shop",
            "ce-subject": "order 42",
            "ce-dataschema": "https://schemas.example/order",
            "ce-datacontenttype": "application/json",
            "ce-comexampleextension1": "value",
            "ce-sampledrate": "5",
            "ce-urgent": "true",
            "ce-typed-attributes": "sampledrate urgent",
        },
        "payload": {"n": 1},
    }


def test_the_answer_is_that_of_any_append(shop):
    answer = append(shop, MINIMAL)
    assert answer == {
        "id": "1",
        "stream": "orders",
        "partition": 0,
        "offset": 1,
        "recorded_at": answer["recorded_at"],
        "duplicate": False,
    }
    several = append(shop, [MINIMAL, MINIMAL | {"id": "2"}])
    assert [each["offset"] for each in several["events"]] == [2, 3]
    minimal = append(shop, [MINIMAL, MINIMAL | {"id": "2"}], Prefer="return=minimal")
    assert minimal["ranges"] == [{"stream": "orders", "partition": 0, "first_offset": 4, "last_offset": 5}]


def test_the_stream_is_an_extension_where_the_address_names_none(shop, owner):
    make_stream("payments", owner=owner)
    append(shop, [MINIMAL | {"stream": "orders"}, MINIMAL | {"stream": "payments"}], path="/events")
    assert [len(read_plain(shop, name)) for name in ("orders", "payments")] == [1, 1]
    answer = shop.post("/events", [MINIMAL], content_type=BATCH)
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [("/0/stream", "required")]


@pytest.mark.parametrize(
    "data",
    [
        b'{"b":1,"a":2,"b":3}',
        b"18446744073709551616",
        b"1e400",
        b"-0.0",
        b"1.10",
        rb'"a\u0000b"',
        b'{"a" : [ 1 , 2 ] }',
        b"null",
        b'""',
        b"false",
    ],
    ids=lambda data: data.decode(),
)
def test_data_comes_back_byte_for_byte(shop, data):
    body = orjson.dumps(MINIMAL)[:-1] + b',"data":' + data + b"}"
    append(shop, body)
    append(shop, body)
    assert binary(shop, "/streams/orders/events", data).status_code == 202
    plain = shop.get("/streams/orders/events", last_offset=0).content
    assert plain.count(b'"payload":' + data + b"}") == 3
    batch = shop.get("/streams/orders/events", last_offset=0, headers={"Accept": BATCH}).content
    assert batch.count(b'"data":' + data + b"}") == 3


def test_no_data_is_not_data_that_is_null(shop):
    append(shop, [MINIMAL, MINIMAL | {"data": None}, MINIMAL | {"data_base64": None, "data": 1}])
    assert [event["payload"] for event in read_plain(shop)] == [None, None, 1]
    first, second, third = read_cloudevents(shop)
    assert "data" not in first
    assert second["data"] is None
    assert third["data"] == 1


def test_what_is_packed_in_base64_comes_back_so(shop):
    packed = MINIMAL | {"datacontenttype": "image/png", "data_base64": "iVBORw0KGgo="}
    append(shop, packed)
    (event,) = read_cloudevents(shop)
    assert without_place(event) == packed
    assert read_plain(shop)[0]["payload"] == "iVBORw0KGgo="


def test_text_that_is_no_json_comes_back_as_text(shop):
    sent = MINIMAL | {"datacontenttype": "application/xml", "data": '<much wow="xml"/>'}
    append(shop, sent)
    assert [without_place(event) for event in read_cloudevents(shop)] == [sent]


def test_an_attribute_that_is_null_is_not_set(shop):
    append(shop, MINIMAL | {"subject": None, "time": None, "myextension": None, "partitionkey": None})
    assert [without_place(event) for event in read_cloudevents(shop)] == [MINIMAL]


def test_the_partition_follows_the_key(shop, owner):
    make_stream("lanes", owner=owner, partitions=4)
    plain = shop.post("/streams/lanes/events", {"payload": 1, "key": "customer-7"}).json()
    answer = append(shop, MINIMAL | {"partitionkey": "customer-7"}, path="/streams/lanes/events")
    assert answer["partition"] == plain["partition"]


def test_in_binary_mode_headers_are_attributes_and_the_body_is_the_data(shop):
    answer = binary(
        shop,
        "/events",
        b'{"n": 1}',
        content_type="application/json; charset=utf-8",
        stream="orders",
        time="2018-04-05T03:56:24Z",
        subject="Euro%20%E2%82%AC%20%F0%9F%98%80",
        partitionkey="customer-7",
        sampledrate="5",
    )
    assert answer.status_code == 202, answer.content
    (event,) = read_cloudevents(shop)
    assert without_place(event) == MINIMAL | {
        "datacontenttype": "application/json; charset=utf-8",
        "time": "2018-04-05T03:56:24Z",
        "subject": "Euro € 😀",
        "partitionkey": "customer-7",
        "sampledrate": "5",
        "data": {"n": 1},
    }


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ('"order 42"', "order 42"),
        (r'"say \"42\" \\ "', 'say "42" \\ '),
        ("%c3%a9", "é"),
        ("%41%42", "AB"),
        ("100%25", "100%"),
        ("%2541", "%41"),
    ],
)
def test_a_header_is_unquoted_and_percent_decoded_once(shop, value, meant):
    assert binary(shop, "/streams/orders/events", b"1", subject=value).status_code == 202
    assert read_cloudevents(shop)[0]["subject"] == meant


def test_in_binary_mode_a_body_of_another_type_comes_back_in_base64(shop):
    body = bytes(range(256))
    assert binary(shop, "/streams/orders/events", body, content_type="application/octet-stream").status_code == 202
    (event,) = read_cloudevents(shop)
    assert event["datacontenttype"] == "application/octet-stream"
    assert b64decode(event["data_base64"]) == body


def test_in_binary_mode_an_empty_body_is_no_data(shop):
    assert binary(shop, "/streams/orders/events", b"").status_code == 202
    assert "data" not in read_cloudevents(shop)[0]


def test_the_structured_modes_may_have_the_headers_too_and_do_not_read_them(shop):
    answer = shop.post("/streams/orders/events", MINIMAL, content_type=ONE, **{"ce-specversion": "0.3", "ce-id": "2"})
    assert answer.status_code == 202
    assert read_cloudevents(shop)[0]["id"] == "1"


def test_an_envelope_is_an_envelope_whatever_headers_come_along_that_are_no_cloudevent(shop):
    answer = shop.post("/streams/orders/events", {"payload": 1}, **{"ce-id": "2"})
    assert answer.status_code == 202
    assert read_plain(shop)[0]["headers"] == {}


def test_a_batch_may_be_empty(shop):
    answer = shop.post("/streams/orders/events", [], content_type=BATCH)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 0, "events": []})
    minimal = shop.post("/events", [], content_type=BATCH, Prefer="return=minimal")
    assert (minimal.json(), minimal.headers["Preference-Applied"]) == ({"accepted": 0, "ranges": []}, "return=minimal")
    assert read_plain(shop) == []


def test_an_empty_batch_tells_nobody_which_streams_there_are():
    make_stream("secrets", owner=make_owner(), visibility="restricted")
    stranger = ApiClient(key=make_key(make_user(Role.PRODUCER, email="stranger@example.com")))
    hidden = stranger.post("/streams/secrets/events", [], content_type=BATCH)
    missing = stranger.post("/streams/missing/events", [], content_type=BATCH)
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json()["detail"] == missing.json()["detail"]


def test_an_id_counts_once_in_its_stream_whatever_the_source(shop, owner):
    make_stream("once", owner=owner, deduplicate_ids_seconds=3600)
    append(shop, MINIMAL, path="/streams/once/events")
    again = append(shop, [MINIMAL | {"source": "/another"}, MINIMAL | {"id": "2"}], path="/streams/once/events")
    assert [each["duplicate"] for each in again["events"]] == [True, False]
    assert again["events"][0]["offset"] == 1


def test_a_retry_with_its_key_is_answered_as_the_first_time(shop):
    path = "/streams/orders/events"
    first = shop.post(path, MINIMAL, content_type=ONE, **{"Idempotency-Key": "k1"})
    again = shop.post(path, MINIMAL, content_type=ONE, **{"Idempotency-Key": "k1"})
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    headers = shop.headers | {"Idempotency-Key": "k2"}
    attributes = {f"ce-{name}": value for name, value in MINIMAL.items()}
    for source, status in (("/shop", 202), ("/shop", 202), ("/other", 422)):
        answer = shop.client.post(
            f"/api/v1{path}",
            b"1",
            content_type="application/json",
            headers={**headers, **attributes, "ce-source": source},
        )
        assert answer.status_code == status, answer.content
    assert answer.json()["code"] == "idempotency_key_reused"
    assert len(read_plain(shop)) == 2


def test_a_schema_is_held_to_the_data_and_faults_lead_into_it(shop, owner):
    make_stream("checked", owner=owner, validation="enforce")
    schema = {"type": "object", "properties": {"total": {"type": "number"}}}
    made = shop.post("/streams/checked/schemas", {"type": MINIMAL["type"], "schema": schema})
    assert made.status_code == 201, made.content
    wrong = MINIMAL | {"data": {"total": "much"}}
    answer = shop.post("/streams/checked/events", [MINIMAL | {"data": {"total": 1}}, wrong], content_type=BATCH)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_payloads")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/1/data/total"]
    answer = shop.post("/streams/checked/events", wrong, content_type=ONE)
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/data/total"]
