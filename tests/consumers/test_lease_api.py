"""Lease mode over HTTP: what the verbs take, answer and refuse."""

from uuid import uuid4

import orjson
import pytest

from streams.log import get_log
from tests.client import ApiClient
from tests.consumers.leases import info, let_expire, make_due, produce
from tests.factories import make_group, make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")
BASE = "/streams/orders/consumer-groups/shipping"
NOBODYS = {"delivery_id": 1, "lease_token": "01a2058e-b606-7094-8c31-55e4ce2d8688"}


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def group(owner):
    return make_group(
        make_stream("orders", owner=owner), "shipping", mode="lease", backoff_seconds=(0,), max_failures=2
    )


@pytest.fixture
def client(owner, group):
    return ApiClient(key=make_key(owner))


def lease(client, **body):
    response = client.post(f"{BASE}/lease", body)
    assert response.status_code == 200, response.content
    return response.json()["deliveries"]


def held(delivery, **more):
    return {"delivery_id": delivery["delivery_id"], "lease_token": delivery["lease_token"], **more}


def test_a_lease_answers_with_deliveries_that_carry_the_events_as_they_were_sent(client, group):
    payload = rb'{"big":100000000000000000000001,"float":1.0,"nul":"\u0000","twice":1,"twice":2}'
    assert client.post("/events", b'{"stream":"orders","payload":%b}' % payload).status_code == 202

    response = client.post(f"{BASE}/lease", {"max_events": 10, "consumer": "worker-3", "ack_wait": 60})

    (delivery,) = response.json()["deliveries"]
    assert payload in response.content
    assert set(delivery) == {
        *("delivery_id", "lease_token", "partition", "first_offset", "last_offset", "delivery_count"),
        *("failure_count", "round", "dead_letter_id", "expires_at", "events"),
    }
    assert (delivery["first_offset"], delivery["last_offset"], delivery["delivery_count"]) == (1, 1, 1)
    assert delivery["events"][0]["offset"] == 1
    assert delivery["expires_at"].endswith("Z")


def test_an_empty_lease_is_an_empty_list(client):
    response = client.post(f"{BASE}/lease", {"wait": 0.05})
    assert (response.status_code, response.json()) == (
        200,
        {"deliveries": [], "gaps": [], "isolating": False, "suspected": 0},
    )


def test_ack_says_what_became_of_each_delivery(client, group):
    produce(group, 4)
    (delivery,) = lease(client, max_events=4)

    first = client.post(f"{BASE}/ack", {"deliveries": [held(delivery)]})
    second = client.post(f"{BASE}/ack", {"deliveries": [held(delivery)]})

    told = {"delivery_id": delivery["delivery_id"], "result": "acked", "repeated": False, "expires_at": None}
    assert (first.status_code, first.json()) == (200, {"data": [told]})
    assert (second.status_code, second.json()) == (200, {"data": [told | {"repeated": True}]})
    (progress,) = client.get(f"{BASE}/offsets").json()["data"]
    assert (progress["committed_offset"], progress["lag"]) == (4, 0)


def test_some_lost_leases_are_207_and_all_are_409(client, group):
    produce(group, 4)
    (delivery,) = lease(client)

    mixed = client.post(f"{BASE}/ack", {"deliveries": [held(delivery), NOBODYS | {"delivery_id": 999_999}]})
    lost = client.post(f"{BASE}/ack", {"deliveries": [NOBODYS]})

    assert mixed.status_code == 207
    assert [each["result"] for each in mixed.json()["data"]] == ["acked", "lease_lost"]
    assert (lost.status_code, lost.json()["code"]) == (409, "lease_lost")
    assert lost.json()["errors"][0]["pointer"] == "/deliveries/0"


def test_named_failures_nack_extend_and_release(client, group):
    produce(group, 4)
    (delivery,) = lease(client)
    failed = [{"offset": 2, "error": "boom", "delay": 0}, {"offset": 3, "error": "no", "terminal": True}]
    assert client.post(f"{BASE}/ack", {"deliveries": [held(delivery, failed=failed)]}).status_code == 200

    listed = client.get(f"{BASE}/deliveries").json()["data"]
    assert [(each["first_offset"], each["state"], each["last_error"]) for each in listed] == [
        (2, "waiting", "boom"),
        (3, "exhausted", "no"),
    ]
    assert all("lease_token" not in each for each in listed)
    assert len(client.get(f"{BASE}/deliveries", state="waiting").json()["data"]) == 1

    (again,) = lease(client, max_events=1)
    extended = client.post(f"{BASE}/extend", {"deliveries": [held(again)], "ack_wait": 600}).json()["data"][0]
    assert (extended["result"], extended["expires_at"] > again["expires_at"]) == ("extended", True)
    released = client.post(f"{BASE}/release", {"deliveries": [held(again)]}).json()["data"][0]
    assert released["result"] == "released"
    (again,) = lease(client, max_events=1)
    nacked = client.post(f"{BASE}/nack", {"deliveries": [held(again, error="x" * 5000)]})
    assert nacked.json()["data"][0]["result"] == "nacked"
    lease(client)
    letters = client.get("/dead-letters", stream="orders", group="shipping").json()["data"]
    assert [(each["offset"], each["reason"]) for each in letters] == [(2, "max_failures"), (3, "terminal")]
    assert len(letters[0]["last_error"]) == 2000


def test_an_offset_outside_of_the_delivery_is_refused_and_nothing_done(client, group):
    produce(group, 4)
    (delivery,) = lease(client, max_events=2)

    response = client.post(f"{BASE}/ack", {"deliveries": [held(delivery, failed=[{"offset": 3}])]})

    assert (response.status_code, response.json()["code"]) == (422, "offset_not_in_delivery")
    assert client.get(f"{BASE}/deliveries").json()["data"][0]["state"] == "leased"


def test_what_retention_took_is_told_in_the_answer(client, group):
    produce(group, 3)
    produce(group, 3)
    get_log().trim(info(group).partition(0), keep_events=3)

    assert client.post(f"{BASE}/lease", {}).json()["gaps"] == [{"partition": 0, "first_offset": 1, "last_offset": 3}]


@pytest.mark.parametrize("verb", ["lease", "ack", "nack", "extend", "release"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'"x"', 400),
        (b"{", 400),
        (b'{"deliveries":[]', 400),
        (b"\xff\xfe", 400),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"role":"admin"}', 422),
        (b'{"consumer":"a\\u0000b"}', (400, 422)),
        (b'{"consumer":"\\ud800"}', 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 100_000, 400),
        (b'{"deliveries":[{"delivery_id":NaN}]}', 400),
    ],
)
def test_hostile_bodies_are_refused_with_a_problem(client, verb, body, status):
    response = client.post(f"{BASE}/{verb}", body)

    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.status_code in (status if isinstance(status, tuple) else (status,)), response.content


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"max_events": 0}, "/max_events", "out_of_range"),
        ({"max_events": 1001}, "/max_events", "out_of_range"),
        (b'{"max_events":1180591620717411303424}', "/max_events", "out_of_range"),
        ({"max_events": True}, "/max_events", "invalid"),
        ({"max_events": "5"}, "/max_events", "invalid"),
        ({"max_events": 1.0}, "/max_events", "invalid"),
        ({"max_events": None}, "/max_events", "invalid"),
        ({"wait": -1}, "/wait", "out_of_range"),
        ({"wait": 31}, "/wait", "out_of_range"),
        ({"wait": "1"}, "/wait", "invalid"),
        ({"ack_wait": 0}, "/ack_wait", "out_of_range"),
        ({"ack_wait": 1e9}, "/ack_wait", "out_of_range"),
        ({"consumer": ""}, "/consumer", "invalid"),
        ({"consumer": "x" * 129}, "/consumer", "invalid"),
        ({"consumer": "a\r\nb"}, "/consumer", "invalid"),
        ({"consumer": "\u202e"}, "/consumer", "invalid"),
        ({"offset": 1}, "/offset", "unknown_field"),
    ],
)
def test_bad_lease_fields_are_named(client, body, pointer, code):
    response = client.post(f"{BASE}/lease", body)

    assert response.status_code == 422, response.content
    (error,) = response.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


def test_huge_floats_are_refused(client):
    assert client.post(f"{BASE}/lease", b'{"wait":1e400}').status_code == 422


@pytest.mark.parametrize(
    ("item", "pointer", "code"),
    [
        ({}, "/deliveries/0/delivery_id", "required"),
        ({"delivery_id": 1}, "/deliveries/0/lease_token", "required"),
        (NOBODYS | {"delivery_id": 0}, "/deliveries/0/delivery_id", "out_of_range"),
        (NOBODYS | {"delivery_id": 2**63}, "/deliveries/0/delivery_id", "out_of_range"),
        (NOBODYS | {"delivery_id": "1"}, "/deliveries/0/delivery_id", "invalid"),
        (NOBODYS | {"lease_token": "x"}, "/deliveries/0/lease_token", "invalid"),
        (NOBODYS | {"failed": [{"offset": -1}]}, "/deliveries/0/failed/0/offset", "out_of_range"),
        (NOBODYS | {"failed": [{"offset": 1, "delay": 1e12}]}, "/deliveries/0/failed/0/delay", "out_of_range"),
        (NOBODYS | {"failed": [{"offset": 1, "x": 1}]}, "/deliveries/0/failed/0/x", "unknown_field"),
        (NOBODYS | {"x": 1}, "/deliveries/0/x", "unknown_field"),
    ],
)
def test_bad_ack_fields_are_named(client, item, pointer, code):
    response = client.post(f"{BASE}/ack", {"deliveries": [item]})

    assert response.status_code == 422, response.content
    (error,) = response.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


def test_a_delivery_may_be_named_once_in_a_request(client):
    response = client.post(f"{BASE}/nack", {"deliveries": [NOBODYS, NOBODYS]})
    assert response.json()["errors"][0]["code"] == "repeated"


def test_offset_mode_groups_answer_wrong_mode(client, owner):
    make_group(make_stream("other", owner=owner), "reader")
    for verb, body in (("lease", {}), ("ack", {"deliveries": [NOBODYS]}), ("release", {"deliveries": [NOBODYS]})):
        response = client.post(f"/streams/other/consumer-groups/reader/{verb}", body)
        assert (response.status_code, response.json()["code"]) == (409, "wrong_mode")
    assert client.get("/streams/other/consumer-groups/reader/deliveries").status_code == 409


def test_a_lease_group_is_made_with_its_own_limits(client):
    made = client.post("/streams/orders/consumer-groups", {"name": "g", "mode": "lease", "max_failures": 30})
    assert (made.status_code, made.json()["max_deliveries"]) == (201, 30)
    same = client.post("/streams/orders/consumer-groups", {"name": "g", "mode": "lease", "max_failures": 30})
    assert same.status_code == 200
    for value in (1, 0, 2**31):
        body = {"name": "h", "mode": "lease", "max_deliveries": value}
        assert client.post("/streams/orders/consumer-groups", body).status_code == 422


def test_the_consumer_shows_among_the_members(client, group):
    lease(client, consumer="worker-3")
    (found,) = [each for each in client.get("/consumer-groups").json()["data"] if each["name"] == "shipping"]
    assert [member["name"] for member in found["members"]] == ["worker-3"]


# --- dead letters ---


@pytest.fixture
def letter(client, group):
    produce(group, 3)
    (delivery,) = lease(client)
    failed = [{"offset": 2, "error": "No such customer 17", "terminal": True}]
    client.post(f"{BASE}/ack", {"deliveries": [held(delivery, failed=failed)]})
    lease(client)
    (found,) = client.get("/dead-letters", status="open").json()["data"]
    return found


def test_a_dead_letter_shows_its_event_attempts_and_redrives(client, letter):
    found = client.get(f"/dead-letters/{letter['id']}").json()

    assert found["event"]["payload"]["n"] == 2
    assert [attempt["error"] for attempt in found["attempts"]] == ["No such customer 17"]
    assert (found["redrives"], found["stream"], found["group"]) == ([], "orders", "shipping")


def test_a_redrive_with_an_edited_payload_over_http(client, letter):
    body = b'{"payload": {"n": 2.50, "big": 100000000000000000000001}, "note": "fixed by hand"}'
    response = client.post(f"/dead-letters/{letter['id']}/redrive", body)
    assert (response.status_code, response.json()["status"]) == (202, "redriven")

    again = client.post(f"/dead-letters/{letter['id']}/redrive", body)
    assert (again.status_code, again.json()["code"]) == (409, "not_open")
    answer = client.post(f"{BASE}/lease", {})
    assert b'"payload":{"n": 2.50, "big": 100000000000000000000001}' in answer.content
    (delivery,) = answer.json()["deliveries"]
    client.post(f"{BASE}/ack", {"deliveries": [held(delivery)]})
    found = client.get(f"/dead-letters/{letter['id']}").json()
    assert (found["status"], found["event"]["payload"]["n"]) == ("resolved", 2)
    (redrive,) = found["redrives"]
    assert (redrive["edited"], redrive["outcome"], redrive["note"]) == (True, "acked", "fixed by hand")
    assert {change["pointer"] for change in redrive["difference"]} == {"/n", "/x", "/big"}


def test_a_redrive_is_remembered_by_its_idempotency_key(client, letter):
    key = {"Idempotency_Key": uuid4().hex}
    first = client.post(f"/dead-letters/{letter['id']}/redrive", {"payload": 1}, **key)
    second = client.post(f"/dead-letters/{letter['id']}/redrive", {"payload": 1}, **key)

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.json() == second.json()


def test_verbs_without_a_body_will_do(client, letter):
    assert client.post(f"/dead-letters/{letter['id']}/discard", b"").status_code == 200
    assert client.post(f"/dead-letters/{letter['id']}/discard", {}).status_code == 409
    assert client.post(f"/dead-letters/{letter['id']}/redrive", b"").status_code == 409


@pytest.mark.parametrize("body", [b"[1]", b'{"payload":NaN}', b'{"payload":', b'{"payload":"\xff"}', b"{}x"])
def test_a_broken_payload_is_refused(client, letter, body):
    assert client.post(f"/dead-letters/{letter['id']}/redrive", body).status_code == 400
    assert client.get(f"/dead-letters/{letter['id']}").json()["status"] == "open"


def test_unknown_fields_and_hostile_ids(client, letter):
    assert client.post(f"/dead-letters/{letter['id']}/redrive", {"status": "open"}).status_code == 422
    assert client.post(f"/dead-letters/{letter['id']}/discard", {"payload": 1}).status_code == 422
    for hostile in ("0", "-1", "1e5", "1 OR 1=1", "9" * 30, "x", "%00", "٣"):
        assert client.get(f"/dead-letters/{hostile}").status_code in (400, 404), hostile


def test_lists_are_filtered_and_refuse_what_they_do_not_know(client, letter):
    def ids(**parameters):
        response = client.get("/dead-letters", **parameters)
        assert response.status_code == 200, response.content
        return [each["id"] for each in response.json()["data"]]

    own = [letter["id"]]
    assert ids() == ids(stream="orders") == ids(group="shipping", reason="terminal") == own
    assert ids(fingerprint=letter["error_fingerprint"], type="t", since="2020-01-01T00:00:00Z") == own
    assert ids(stream="nope") == ids(reason="reported") == ids(status="discarded") == []
    assert ids(until="2020-01-01T00:00:00Z") == []
    for bad in (
        {"status": "x"},
        {"since": "yesterday"},
        {"since": "2026-01-01T00:00:00"},
        {"nope": "1"},
        {"limit": "0"},
    ):
        assert client.get("/dead-letters", **bad).status_code == 422, bad


def test_many_are_counted_first_and_then_redriven_once(client, group, letter):
    for _ in range(2):
        produce(group, 3)
        (delivery,) = lease(client)
        client.post(f"{BASE}/nack", {"deliveries": [held(delivery, terminal=True)]})
        lease(client)
    body = {"filter": {"stream": "orders", "reason": "terminal"}, "dry_run": True}
    preview = client.post("/dead-letters/redrive", body).json()
    assert preview["count"] == 7
    assert preview["first_id"] == letter["id"]
    assert len(client.get("/dead-letters", status="open").json()["data"]) == 7

    done = client.post("/dead-letters/redrive", body | {"dry_run": False, "note": "again"})
    assert done.status_code == 200, done.content
    assert (done.json()["total_count"], done.json()["done_count"]) == (7, 7)
    assert done.json()["finished_at"]
    assert client.get(f"/dead-letters/bulk-actions/{done.json()['id']}").json() == done.json()
    again = client.post("/dead-letters/redrive", body | {"dry_run": False}).json()
    assert (again["total_count"], again["done_count"]) == (0, 0)
    assert sum(len(each["events"]) for each in lease(client)) == 7


def test_many_discarded(client, letter):
    done = client.post("/dead-letters/discard", {"filter": {"group": "shipping"}, "note": "junk"}).json()
    assert done["done_count"] == 1
    found = client.get(f"/dead-letters/{letter['id']}").json()
    assert (found["status"], found["note"]) == ("discarded", "junk")


def test_a_bulk_action_needs_a_filter_it_knows(client):
    assert client.post("/dead-letters/redrive", {}).status_code == 422
    assert client.post("/dead-letters/redrive", {"filter": {"strem": "x"}}).status_code == 422
    assert client.post("/dead-letters/redrive", {"filter": [], "dry_run": True}).status_code == 422


def test_parking_resolving_and_redriving_in_offset_mode(client, owner):
    stream = make_stream("other", owner=owner)
    reader = make_group(stream, "reader")
    produce(reader, 3)
    park = "/streams/other/consumer-groups/reader/dead-letters"

    parked = client.post(park, {"partition": 0, "offset": 2, "error": "no\u0000pe"})
    assert parked.status_code == 400
    parked = client.post(park, {"partition": 0, "offset": 2, "error": "nope"})
    again = client.post(park, {"offset": 2, "error": "nope"})
    assert (parked.status_code, again.status_code, parked.json()) == (201, 200, again.json())
    assert client.post(park, {"offset": 9}).status_code == 404
    redrive = client.post(f"/dead-letters/{parked.json()['id']}/redrive", {})
    assert (redrive.status_code, redrive.json()["code"]) == (409, "wrong_mode")
    resolved = client.post(f"/dead-letters/{parked.json()['id']}/resolve", {"note": "by hand"})
    assert (resolved.status_code, resolved.json()["status"]) == (200, "resolved")


# --- seek and timeline ---


def test_seek_over_http(client, group):
    produce(group, 5)
    lease(client, max_events=2)

    told = client.post(f"{BASE}/seek", {"to": "latest", "dry_run": True}).json()
    assert (told["partition"], told["from"], told["to"], told["events_affected"]) == (0, 0, 5, 5)
    assert (told["dry_run"], told["deliveries_fenced"]) == (True, 1)
    assert client.post(f"{BASE}/seek", {"to": {"offset": 3}}).json()["data"][0]["to"] == 3
    moment = {"to": {"timestamp": "2020-01-01T00:00:00Z"}}
    assert client.post(f"{BASE}/seek", moment).json()["to"] == 0
    for bad in (
        {},
        {"to": "middle"},
        {"to": 3},
        {"to": {}},
        {"to": {"offset": -1}},
        {"to": {"offset": 2**63}},
        {"to": {"offset": 1, "timestamp": "2020-01-01T00:00:00Z"}},
        {"to": {"timestamp": "2020-01-01T00:00:00"}},
        {"to": {"offset": 6}},
        {"to": "latest", "partition": -1},
        {"to": "latest", "dry_run": "yes"},
    ):
        assert client.post(f"{BASE}/seek", bad).status_code == 422, bad
    assert client.post(f"{BASE}/seek", {"to": "latest", "partition": 7}).status_code == 404


def test_the_timeline_over_http(client, group):
    produce(group, 2)
    (delivery,) = lease(client, max_events=1, consumer="w1")

    told = client.get("/streams/orders/events/0/1/timeline").json()

    (own,) = told["groups"]
    assert (told["offset"], told["is_kept"], own["group"], own["state"]) == (1, True, "shipping", "leased")
    assert (own["delivery"]["leased_by"], own["delivery"]["expires_at"]) == ("w1", delivery["expires_at"])
    assert client.get("/streams/orders/events/0/2/timeline").json()["groups"][0]["state"] == "not_handed_out"
    assert client.get("/streams/orders/events/0/3/timeline").status_code == 404
    assert client.get("/streams/orders/events/1/1/timeline").status_code == 404
    assert orjson.loads(client.get("/streams/orders/events/0/x/timeline").content)["code"] == "invalid_parameter"


def test_a_lost_answer_comes_again(client, group):
    produce(group, 2)
    lease(client)
    let_expire(group)
    lease(client)
    make_due(group)
    (again,) = lease(client)
    assert again["delivery_count"] == 2
