"""Events that are read as CloudEvents, whatever they were when they came: each is a valid one."""

import pytest

from streams.cloudevents.attributes import is_name, is_text, rule_broken
from tests.client import ApiClient
from tests.conventions.openapi import operations, validator_of
from tests.factories import make_key, make_owner, make_stream
from tests.streams.cloudevents import BATCH, MINIMAL, ONE, read_cloudevents

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def shop(owner):
    make_stream("orders", owner=owner)
    return ApiClient(key=make_key(owner))


def append(client, *events):
    answer = client.post("/streams/orders/events", list(events))
    assert answer.status_code == 202, answer.content
    return answer.json()["events"]


def is_valid(event):
    """Hold a CloudEvent to what the specification says of each attribute."""
    data = {"data", "data_base64"} & set(event)
    attributes = {name: value for name, value in event.items() if name not in data}
    assert len(data) <= 1
    assert {"specversion", "id", "source", "type"} <= set(attributes)
    for name, value in attributes.items():
        assert is_name(name), name
        assert len(name) <= 20, name
        assert type(value) in (str, int, bool), name
        assert not isinstance(value, int) or -(2**31) <= value < 2**31, name
        assert not isinstance(value, str) or (is_text(value) and rule_broken(name, value) is None), name
    return True


def test_a_plain_event_comes_as_a_cloudevent_with_its_stream_as_its_source(shop):
    sent = {"type": "order.created", "key": "customer-7", "occurred_at": "2026-11-22T10:00:00Z", "payload": {"n": 1.10}}
    (stored,) = append(shop, sent)
    (event,) = read_cloudevents(shop)
    assert event == {
        "specversion": "1.0",
        "id": stored["id"],
        "source": "/api/v1/streams/orders",
        "type": "order.created",
        "time": "2026-11-22T10:00:00Z",
        "partitionkey": "customer-7",
        "recordedtime": stored["recorded_at"],
        "stream": "orders",
        "partition": 0,
        "offset": "1",
        "data": {"n": 1.10},
    }
    assert is_valid(event)


def test_headers_of_a_plain_event_are_extensions_where_their_names_allow_it(shop):
    append(
        shop,
        {
            "payload": 1,
            "headers": {
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "tenant": "acme",
                "ce-subject": "order 42",
                "Content-Language": "de",
                "x_y": "1",
                "subject": "not of the event",
                "id": "nor this",
                "offset": "7",
                "control": "a\x01b",
                "ce-time": "never",
                "ce-source": "not a uri",
            },
        },
    )
    (event,) = read_cloudevents(shop)
    assert is_valid(event)
    of_every_event = {"specversion", "id", "source", "type", "recordedtime", "stream", "partition", "offset", "data"}
    assert {name: value for name, value in event.items() if name not in of_every_event} == {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tenant": "acme",
        "subject": "order 42",
    }
    assert (event["source"], event["offset"]) == ("/api/v1/streams/orders", "1")


def test_a_header_that_only_says_it_is_base64_is_not_believed(shop):
    append(
        shop,
        {"payload": {"a": 1}, "headers": {"ce-data": "base64"}},
        {"payload": "not base64!", "headers": {"ce-data": "base64"}},
        {"payload": "AA==", "headers": {"ce-data": "base64"}},
        {"payload": 5, "headers": {"ce-data": "absent"}},
        {"payload": None, "headers": {"ce-data": "absent"}},
        {
            "payload": 1,
            "headers": {"ce-typed-attributes": "a b c d", "ce-a": "007", "ce-b": "5", "ce-c": "true", "ce-d": ""},
        },
    )
    first, second, third, fourth, fifth, sixth = read_cloudevents(shop)
    assert (first["data"], second["data"], third["data_base64"], fourth["data"]) == ({"a": 1}, "not base64!", "AA==", 5)
    assert not {"data", "data_base64"} & set(fifth)
    assert [sixth[name] for name in "abcd"] == ["007", 5, True, ""]
    assert all(map(is_valid, (first, second, third, fourth, fifth, sixth)))


def test_a_key_that_no_cloudevent_may_have_is_left_out(shop):
    append(shop, {"payload": 1, "key": "a\x00b"}, {"payload": 1, "key": "schlüssel"})
    assert [event.get("partitionkey") for event in read_cloudevents(shop)] == [None, "schlüssel"]


def test_the_producers_own_recorded_time_stays(shop):
    answer = shop.post("/streams/orders/events", MINIMAL | {"recordedtime": "2020-01-01T00:00:00Z"}, content_type=ONE)
    assert answer.status_code == 202
    assert read_cloudevents(shop)[0]["recordedtime"] == "2020-01-01T00:00:00Z"


def test_what_was_read_is_sent_on_without_what_the_log_said(shop, owner):
    make_stream("copies", owner=owner)
    shop.post("/streams/orders/events", MINIMAL | {"flag": True, "data": {"n": 1}}, content_type=ONE)
    append(shop, {"payload": [1, 2], "key": "k", "headers": {"tenant": "acme"}})
    read = read_cloudevents(shop)
    log = ("stream", "partition", "offset")
    sent_on = [{name: value for name, value in event.items() if name not in log} for event in read]
    assert shop.post("/streams/copies/events", sent_on, content_type=BATCH).status_code == 202
    again = read_cloudevents(shop, "copies")
    assert [{name: value for name, value in event.items() if name not in log} for event in again] == sent_on


def test_an_erased_event_says_so_and_has_no_data(shop):
    shop.post("/streams/orders/events", MINIMAL | {"subject": "Ada", "data": {"name": "Ada"}}, content_type=ONE)
    answer = shop.post("/streams/orders/events/0/1/erase", {"reason": "Ada asked for it"})
    assert answer.status_code in (200, 204), answer.content
    (event,) = read_cloudevents(shop)
    assert is_valid(event)
    assert "Ada" not in str(event)
    assert not {"data", "data_base64", "subject"} & set(event)
    assert event["source"] == "/api/v1/streams/orders"
    assert event["erasedtime"].endswith("Z")
    assert event["erasedbytes"] > 0


def test_an_event_that_does_not_fit_its_schema_says_so(shop, owner):
    make_stream("checked", owner=owner, validation="warn")
    shop.post("/streams/checked/schemas", {"type": "count", "schema": {"type": "integer"}})
    shop.post("/streams/checked/events", [{"type": "count", "payload": 1}, {"type": "count", "payload": "x"}])
    fits, does_not = read_cloudevents(shop, "checked")
    assert "schemaversion" not in fits
    assert (does_not["schemaversion"], does_not["schemavalid"]) == (1, False)
    assert is_valid(does_not)


def test_one_event_comes_as_one_cloudevent(shop):
    shop.post("/streams/orders/events", MINIMAL | {"data": 1}, content_type=ONE)
    answer = shop.get("/streams/orders/events/0/1", headers={"Accept": ONE})
    assert (answer.headers["Content-Type"], answer.json()["id"]) == (ONE, "1")
    assert answer.headers["Cache-Control"] == "no-store"
    assert [answer.json()] == read_cloudevents(shop)


def test_a_poll_says_beside_cloudevents_what_it_says_beside_events(shop):
    append(shop, {"payload": 1}, {"payload": 2})
    plain = shop.get("/streams/orders/events", last_offset=0, limit=1)
    cloud = shop.get("/streams/orders/events", last_offset=0, limit=1, headers={"Accept": BATCH})
    told = [name for name in plain.headers if name.startswith("EventFlow-")]
    assert {name: cloud.headers[name] for name in told} == {name: plain.headers[name] for name in told}
    assert shop.get("/streams/orders/events", last_offset=2, headers={"Accept": BATCH}).content == b"[]"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (BATCH, BATCH),
        (BATCH.upper(), BATCH),
        (f"text/html, {BATCH};q=0.5, */*;q=0.1", BATCH),
        (f"{BATCH}, application/json", BATCH),
        (f"{BATCH};q=0.4, application/json;q=0.5", "application/json"),
        (f"{BATCH};q=0, application/json", "application/json"),
        (f"{BATCH};q=lots, */*", "application/json"),
        (f"{ONE}, application/json", "application/json"),
        (f"{ONE}, */*;q=0.1", "application/json"),
        ("application/json", "application/json"),
        ("text/html", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
def test_what_is_accepted_decides(shop, accept, content_type):
    assert shop.get("/streams/orders/events", headers={"Accept": accept}).headers["Content-Type"] == content_type


@pytest.mark.parametrize("accept", [ONE, f"{BATCH};q=0", "application/cloudevents+avro"])
def test_cloudevents_in_another_form_are_not_to_be_had(shop, accept):
    append(shop, {"payload": 1})
    answer = shop.get("/streams/orders/events", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert BATCH in answer.json()["detail"]
    answer = shop.get("/streams/orders/events/0/1", headers={"Accept": BATCH})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_what_is_sent_and_answered_is_as_the_document_says(shop):
    append(shop, {"payload": 1, "key": "k", "headers": {"tenant": "acme"}, "occurred_at": "2026-11-22T10:00:00Z"})
    sent = MINIMAL | {"subject": None, "flag": True, "data_base64": "AA==", "datacontenttype": "image/png"}
    assert shop.post("/streams/orders/events", sent, content_type=ONE).status_code == 202
    content = {each.method: each.definition for each in operations() if each.template == "/streams/{stream}/events"}
    taken = content["POST"]["requestBody"]["content"]
    assert validator_of(taken[ONE]["schema"]).is_valid(sent)
    assert validator_of(taken[BATCH]["schema"]).is_valid([sent, MINIMAL])
    for wrong in ({"source": "a b"}, {"id": ""}, {"specversion": "0.3"}, {"type": "a b"}, {"flag": 1.5}, {"time": 5}):
        assert not validator_of(taken[ONE]["schema"]).is_valid(MINIMAL | wrong), wrong
    answered = content["GET"]["responses"]["200"]["content"]
    assert set(answered) == {"application/json", BATCH}
    assert validator_of(answered[BATCH]["schema"]).is_valid(read_cloudevents(shop))
