"""Filters of groups over HTTP: made, shown, changed, refused; and what a group with one reads."""

import pytest

from accounts.models import AuditEntry
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")
GROUPS = "/streams/orders/consumer-groups"
EU_CREATED = {"types": ["order.created"], "headers": {"region": "eu"}}


@pytest.fixture
def client():
    owner = make_owner()
    make_stream("orders", owner=owner)
    return ApiClient(key=make_key(owner))


def make(client, name="billing", **settings):
    return client.post(GROUPS, {"name": name, **settings})


def append(client, *events):
    body = [{"stream": "orders", "payload": None, **event} for event in events]
    assert client.post("/events", body).status_code == 202


def wanted(**more):
    return {"type": "order.created", "headers": {"region": "eu"}, **more}


def test_a_group_is_made_with_a_filter_and_shows_it(client):
    made = make(client, filter=EU_CREATED)

    assert (made.status_code, made.json()["filter"]) == (201, EU_CREATED)
    assert client.get(f"{GROUPS}/billing").json()["filter"] == EU_CREATED
    assert make(client, "everything").json()["filter"] is None


def test_an_equal_filter_is_the_same_group_and_another_is_not(client):
    make(client, filter={"types": ["b", "a"]})

    assert make(client, filter={"types": ["a", "b", "a"], "headers": {}}).status_code == 200
    refused = make(client, filter={"types": ["a"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "consumer_group_exists")
    assert "filter" in refused.json()["detail"]


def test_a_filter_is_changed_as_a_whole_taken_away_and_audited(client):
    before = make(client, filter=EU_CREATED).headers

    changed = client.patch(f"{GROUPS}/billing", {"filter": {"types": ["order.paid"]}})
    assert changed.json()["filter"] == {"types": ["order.paid"]}
    assert changed.headers["ETag"] != before.get("ETag")
    assert client.patch(f"{GROUPS}/billing", {"filter": None}).json()["filter"] is None
    assert client.patch(f"{GROUPS}/billing", {"filter": {"types": []}}).json()["filter"] is None

    told = [entry.after for entry in AuditEntry.objects.filter(action="group.changed").order_by("pk")]
    assert told == [{"filter": {"types": ["order.paid"]}}, {"filter": None}]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ("order.created", "/filter"),
        ({"type": "order.created"}, "/filter/type"),
        ({"types": "order.created"}, "/filter/types"),
        ({"types": ["not a type"]}, "/filter/types/0"),
        ({"types": ["t"] * 101}, "/filter/types"),
        ({"headers": ["region"]}, "/filter/headers"),
        ({"headers": {"region": 7}}, "/filter/headers/region"),
        ({"headers": {"": "eu"}}, "/filter/headers"),
        ({"headers": {"region": "é" * 510}}, "/filter/headers"),
        ({"headers": {f"h{n}": "" for n in range(33)}}, "/filter/headers"),
    ],
)
def test_what_is_no_filter_is_refused_and_says_where(client, given, pointer):
    refused = make(client, filter=given)

    assert refused.status_code == 422, refused.content
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert client.get(GROUPS).json()["data"] == []


def test_a_lease_is_given_what_the_filter_lets_through(client):
    make(client, mode="lease", filter=EU_CREATED)
    append(client, {"type": "order.paid"}, wanted(), {"type": "order.created"}, wanted(headers={"region": "us"}))

    (delivery,) = client.post(f"{GROUPS}/billing/lease", {}).json()["deliveries"]

    assert [event["offset"] for event in delivery["events"]] == [2]
    held = {"delivery_id": delivery["delivery_id"], "lease_token": delivery["lease_token"]}
    assert client.post(f"{GROUPS}/billing/ack", {"deliveries": [held]}).status_code == 200
    assert client.get(f"{GROUPS}/billing").json()["lag"] == 0


def test_a_poll_as_the_group_is_given_the_same_and_moves_past_the_rest(client):
    make(client, filter=EU_CREATED)
    append(client, {"type": "order.paid"}, wanted(), {"type": "order.paid"}, wanted(), {"type": "order.paid"})

    answer = client.get("/streams/orders/events", consumer_group_id="billing")

    assert [event["offset"] for event in answer.json()] == [2, 4]
    assert answer.headers["EventFlow-Next-Offset"] == "5"
    # Who reads as nobody reads everything.
    assert len(client.get("/streams/orders/events").json()) == 5


def test_a_poll_that_asks_for_types_too_is_given_what_is_both(client):
    make(client, filter={"headers": {"region": "eu"}})
    append(client, wanted(), wanted(type="order.paid"), {"type": "order.paid"})

    answer = client.get("/streams/orders/events", consumer_group_id="billing", type="order.paid")

    assert [event["offset"] for event in answer.json()] == [2]
