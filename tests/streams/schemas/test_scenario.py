"""A team gives its stream a schema: first it looks, then it marks, then it refuses."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEntry
from consumers.services.reconcile import reconcile_deliveries
from streams.services.schema_uses import write_schema_uses
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")

ORDER = {
    "type": "object",
    "properties": {"order_id": {"type": "integer"}, "total": {"type": "number", "minimum": 0}},
    "required": ["order_id"],
}
FITS = {"order_id": 1, "total": 2.5}
DOES_NOT = {"total": -1}


@pytest.fixture
def api() -> ApiClient:
    owner = make_owner()
    make_group(make_stream("orders", owner=owner), "billing")
    return ApiClient(key=make_key(owner))


def event(payload: object, type_: str = "order.created", **fields: object) -> dict[str, object]:
    return {"type": type_, "payload": payload, **fields}


def register(api: ApiClient, schema: object = ORDER, type_: str = "order.created", **fields: str) -> dict[str, object]:
    answer = api.post("/streams/orders/schemas", {"type": type_, "schema": schema, **fields})
    assert answer.status_code in (200, 201), answer.json()
    found: dict[str, object] = answer.json()
    return found


def validate(api: ApiClient, how: str) -> None:
    answer = api.patch("/streams/orders", {"validation": how})
    assert (answer.status_code, answer.json()["validation"]) == (200, how)


def stored(api: ApiClient) -> list[dict[str, object]]:
    return list(api.get("/streams/orders/events").json())


def test_a_stream_validates_nothing_until_it_is_told_to(api):
    register(api)
    assert api.get("/streams/orders").json()["validation"] == "off"
    assert api.post("/streams/orders/events", event(DOES_NOT)).status_code == 202
    assert "schema" not in stored(api)[0]


def test_to_warn_is_to_store_and_mark_what_does_not_fit_and_that_alone(api):
    register(api)
    validate(api, "warn")
    batch = [event(FITS), event(DOES_NOT), event(DOES_NOT, "order.paid"), event("é", key="k")]
    answer = api.post("/streams/orders/events", batch)
    assert answer.status_code == 202
    marks = [each.get("schema") for each in stored(api)]
    assert marks == [None, {"version": 1, "valid": False}, None, {"version": 1, "valid": False}]
    assert [each["payload"] for each in stored(api)] == [FITS, DOES_NOT, DOES_NOT, "é"]
    lease = api.post("/streams/orders/consumer-groups", {"name": "mail", "mode": "lease", "start": "earliest"})
    assert lease.status_code == 201
    leased = api.post("/streams/orders/consumer-groups/mail/lease", {"consumer": "c", "max_events": 10})
    handed_out = [each for delivery in leased.json()["deliveries"] for each in delivery["events"]]
    assert [each.get("schema") for each in handed_out] == marks


def test_to_enforce_is_to_refuse_the_whole_request_and_to_point_at_what_is_wrong(api):
    register(api)
    validate(api, "enforce")
    answer = api.post("/streams/orders/events", [event(FITS), event(DOES_NOT), event({"order_id": "1"})])
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_payloads")
    assert problem["detail"] == "2 of the events cannot be accepted; none was stored."
    assert {(each["pointer"], each["code"], each["schema_version"]) for each in problem["errors"]} == {
        ("/1/payload", "schema", 1),
        ("/1/payload/total", "schema", 1),
        ("/2/payload/order_id", "schema", 1),
    }
    assert all(each["detail"] for each in problem["errors"])
    assert stored(api) == []
    single = api.post("/events", {"stream": "orders", **event(DOES_NOT)})
    assert {each["pointer"] for each in single.json()["errors"]} == {"/payload", "/payload/total"}
    assert api.post("/streams/orders/events", event(FITS)).status_code == 202
    assert api.post("/streams/orders/events", event(DOES_NOT, "order.paid")).status_code == 202, "it has no schema"


def test_a_retry_of_what_was_stored_is_told_so_although_it_would_not_be_now(api):
    headers = {"Idempotency_Key": "order-1"}
    first = api.post("/streams/orders/events", event(DOES_NOT), **headers)
    register(api)
    validate(api, "enforce")
    again = api.post("/streams/orders/events", event(DOES_NOT), **headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert len(stored(api)) == 1


def test_several_streams_in_one_request_each_by_their_own_schemas(api):
    owner = make_owner()
    other = make_stream("payments", owner=owner, visibility="internal")
    assert other.validation == "off"
    both = ApiClient(key=make_key(owner))
    register(api)
    validate(api, "warn")
    grant = api.post("/streams/orders/grants", {"user": owner.email, "rights": ["produce"]})
    assert grant.status_code == 201
    batch = [{"stream": "payments", **event(DOES_NOT)}, {"stream": "orders", **event(DOES_NOT)}]
    assert both.post("/events", batch).status_code == 202
    assert [each.get("schema") for each in stored(api)] == [{"version": 1, "valid": False}]
    assert "schema" not in both.get("/streams/payments/events").json()[0]


def test_no_more_than_a_hundred_faults_are_told(api):
    register(api, {"type": "array", "items": {"type": "integer"}})
    validate(api, "enforce")
    answer = api.post("/streams/orders/events", [event(["x"] * 60) for _ in range(3)])
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 100


@pytest.mark.processes
def test_versions_count_up_and_the_latest_is_the_one_that_counts(api):
    first = register(api)
    assert (first["version"], first["compatibility"]) == (1, "forward")
    assert register(api)["version"] == 1, "an equal one is that version"
    second = register(api, {**ORDER, "required": ["order_id", "total"]})
    assert second["version"] == 2
    validate(api, "enforce")
    refused = api.post("/streams/orders/events", event({"order_id": 1}))
    assert {each["schema_version"] for each in refused.json()["errors"]} == {2}
    listed = api.get("/streams/orders/schemas", type="order.created").json()["data"]
    assert [each["version"] for each in listed] == [2, 1]
    assert api.get("/streams/orders/schemas/order.created/1").json()["schema"] == ORDER
    assert api.get("/streams/orders/schemas/order.created/latest").json()["version"] == 2
    trail = [entry.after for entry in AuditEntry.objects.filter(action="schema.registered").order_by("at")]
    assert [each["version"] for each in trail] == [1, 2]


def test_a_type_with_slashes_has_an_address(api):
    register(api, type_="shop/order:created+v1")
    assert api.get("/streams/orders/schemas/shop/order:created+v1/latest").json()["version"] == 1
    assert api.get("/streams/orders/schemas/shop%2Forder%3Acreated%2Bv1/1").json()["version"] == 1


@pytest.mark.processes
def test_a_number_of_any_length_may_stand_in_a_schema_and_is_told_as_it_was_sent(api):
    document = b'{"minimum":-12345678901234567890123,"maximum":98765432109876543210987}'
    body = b'{"type":"order.created","schema":' + document + b"}"
    for headers in ({}, {"Idempotency_Key": "order-schema"}, {"Idempotency_Key": "order-schema"}):
        answer = api.post("/streams/orders/schemas", body, **headers)
        assert answer.status_code in (200, 201), answer.content
        assert document in answer.content
    for address in ("/streams/orders/schemas", "/streams/orders/schemas/order.created/1"):
        assert document in api.get(address).content


@pytest.mark.processes
def test_a_version_that_breaks_its_promise_is_refused_and_named(api):
    register(api)
    wider = {**ORDER, "properties": {**ORDER["properties"], "total": {"type": ["number", "string"]}}}
    answer = api.post("/streams/orders/schemas", {"type": "order.created", "schema": wider})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "incompatible")
    assert [(each["pointer"], each["code"]) for each in problem["errors"]] == [
        ("/schema/properties/total/type", "forward"),
        ("/schema/properties/total/minimum", "forward"),
    ]
    assert register(api, wider, compatibility="none")["version"] == 2


def test_a_schema_is_tried_on_what_is_stored_before_it_counts(api):
    api.post("/streams/orders/events", [event(FITS), event(DOES_NOT, id="bad"), event("x", "order.paid")])
    tried = api.post("/streams/orders/schemas/check", {"type": "order.created", "schema": {**ORDER, "requierd": []}})
    found = tried.json()
    assert (tried.status_code, found["compatible"], found["compared_with"]) == (200, True, None)
    assert (found["checked_count"], found["invalid_count"]) == (2, 1)
    assert [(each["id"], each["offset"]) for each in found["invalid"]] == [("bad", 2)]
    assert {each["pointer"] for each in found["invalid"][0]["errors"]} == {"/payload", "/payload/total"}
    assert found["ignored"] == ["/requierd"]
    assert api.get("/streams/orders/schemas").json()["data"] == []
    missing = api.post("/streams/orders/schemas/check", {"type": "order.created"})
    assert (missing.status_code, missing.json()["code"]) == (404, "schema_not_found")
    register(api)
    again = api.post("/streams/orders/schemas/check", {"type": "order.created", "last": 1})
    assert (again.json()["checked_count"], again.json()["compared_with"]) == (0, 1)


def test_a_first_schema_is_inferred_from_what_is_stored(api):
    assert (
        api.post("/streams/orders/schemas/infer", {"type": "order.created"}).json()["code"] == "nothing_to_infer_from"
    )
    payloads = [{"order_id": 1, "note": None}, {"order_id": 2, "note": "x", "items": [{"sku": "a"}]}]
    api.post("/streams/orders/events", [event(payload) for payload in payloads])
    answer = api.post("/streams/orders/schemas/infer", {"type": "order.created"}).json()
    assert answer["event_count"] == 2
    assert sorted(answer["schema"]["required"]) == ["note", "order_id"]
    register(api, answer["schema"])
    checked = api.post("/streams/orders/schemas/check", {"type": "order.created"}).json()
    assert (checked["checked_count"], checked["invalid_count"]) == (2, 0)


def test_what_did_not_fit_is_counted_with_its_schema_and_in_the_metrics(api):
    register(api)
    validate(api, "warn")
    api.post("/streams/orders/events", [event(DOES_NOT), event(DOES_NOT), event(FITS)])
    validate(api, "enforce")
    api.post("/streams/orders/events", [event(DOES_NOT), event(FITS)])
    assert write_schema_uses() == 3
    found = api.get("/streams/orders/schemas/order.created/1").json()
    assert (found["marked_count"], found["refused_count"]) == (2, 1)
    assert found["last_invalid_at"]
    assert write_schema_uses() == 0
    assert 'eventflow_invalid_payloads_total{outcome="marked"}' in Client().get("/metrics").content.decode()


def test_an_export_takes_the_mark_along(api):
    register(api)
    validate(api, "warn")
    api.post("/streams/orders/events", event(DOES_NOT))
    assert json.dumps(stored(api)[0]["schema"]) == '{"version": 1, "valid": false}'


def test_an_edited_redrive_is_held_to_the_schema_as_well(api):
    register(api)
    api.post("/streams/orders/consumer-groups", {"name": "mail", "mode": "lease", "start": "earliest"})
    api.post("/streams/orders/events", event(FITS))

    def lease_event() -> dict[str, object]:
        (delivery,) = api.post("/streams/orders/consumer-groups/mail/lease", {"consumer": "c"}).json()["deliveries"]
        lease = {"delivery_id": delivery["delivery_id"], "lease_token": delivery["lease_token"]}
        given_up = {"deliveries": [lease | {"error": "no", "terminal": True}]}
        assert api.post("/streams/orders/consumer-groups/mail/nack", given_up).status_code == 200
        found: dict[str, object] = delivery["events"][0]
        return found

    def redrive(payload: object) -> Any:
        reconcile_deliveries()
        (letter,) = api.get("/dead-letters", status="open").json()["data"]
        return api.post(f"/dead-letters/{letter['id']}/redrive", {"payload": payload})

    assert "schema" not in lease_event()
    validate(api, "enforce")
    refused = redrive(DOES_NOT)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_payloads")
    assert {each["pointer"] for each in refused.json()["errors"]} == {"/payload", "/payload/total"}
    validate(api, "warn")
    assert redrive(DOES_NOT).status_code == 202
    marked = lease_event()
    assert (marked["payload"], marked["schema"]) == (DOES_NOT, {"version": 1, "valid": False})
    assert redrive({"order_id": 7}).status_code == 202
    assert "schema" not in lease_event()


def test_what_is_stored_of_numbers_and_sizes_can_all_be_looked_at(api, monkeypatch):
    body = b'[{"type":"n","payload":1e999},{"type":"n","payload":-1e999},{"type":"n","payload":[1%b]}]' % (b"0" * 400)
    assert api.post("/streams/orders/events", body).status_code == 202
    inferred = api.post("/streams/orders/schemas/infer", {"type": "n"})
    assert (inferred.status_code, inferred.json()["event_count"]) == (200, 3)
    tried = {"type": "n", "schema": {"type": ["number", "array"]}}
    checked = api.post("/streams/orders/schemas/check", tried).json()
    assert (checked["checked_count"], checked["invalid_count"]) == (3, 2)
    monkeypatch.setattr("streams.services.schemas.MAX_CHECKED_BYTES", 1)
    assert api.post("/streams/orders/schemas/check", tried).json()["checked_count"] == 1


def test_as_many_of_the_newest_are_looked_at_as_was_asked_for(api):
    api.post("/streams/orders/events", [event({"order_id": n}) for n in range(70)])
    for last in (1, 20, 21, 70, 1_000):
        checked = api.post(
            "/streams/orders/schemas/check", {"type": "order.created", "schema": False, "last": last}
        ).json()
        assert checked["checked_count"] == min(last, 70)
        assert [each["offset"] for each in checked["invalid"]] == list(range(70, 70 - min(last, 70), -1))
