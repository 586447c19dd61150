"""The story of a newcomer: create a stream, get a key, send events, read them as a group, be done."""

import pytest

from accounts.roles import Role
from tests.client import ApiClient
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


def test_from_signing_in_to_a_lag_of_zero():
    make_user(Role.PRODUCER, Role.CONSUMER, email="ada@example.com", password="a long enough password")

    signed_in = ApiClient().post("/auth/login", {"email": "Ada@example.com", "password": "a long enough password"})
    assert signed_in.status_code == 200
    assert signed_in.json()["user"]["roles"] == ["consumer", "producer"]
    ada = ApiClient(token=signed_in.json()["access"])

    assert ada.post("/streams", {"name": "orders", "description": "What customers order"}).status_code == 201
    group = ada.post("/streams/orders/consumer-groups", {"name": "billing"})
    assert group.status_code == 201
    assert group.json()["mode"] == "offset"
    created = ada.post("/api-keys", {"name": "shop", "scopes": ["produce", "consume"], "streams": ["orders"]})
    assert created.status_code == 201
    shop = ApiClient(key=created.json()["secret"])

    one = shop.post("/events", {"stream": "orders", "type": "order.created", "payload": {"order_id": 42}})
    assert one.status_code == 202
    assert (one.json()["partition"], one.json()["offset"], one.json()["duplicate"]) == (0, 1, False)

    batch = shop.post("/events", [{"stream": "orders", "payload": number} for number in range(3)])
    assert batch.status_code == 202
    assert batch.json()["accepted"] == 3
    assert [event["offset"] for event in batch.json()["events"]] == [2, 3, 4]

    lines = b'{"payload": "a"}\n{"payload": "b"}\n'
    ndjson = shop.post("/streams/orders/events", lines, content_type="application/x-ndjson", Prefer="return=minimal")
    assert ndjson.status_code == 202
    assert ndjson.json() == {
        "accepted": 2,
        "ranges": [{"stream": "orders", "partition": 0, "first_offset": 5, "last_offset": 6}],
    }

    read = shop.get("/streams/orders/events", consumer_group_id="billing", last_offset=0)
    assert read.status_code == 200
    assert [event["payload"] for event in read.json()] == [{"order_id": 42}, 0, 1, 2, "a", "b"]
    assert [event["offset"] for event in read.json()] == [1, 2, 3, 4, 5, 6]
    assert read.json()[0]["id"] == one.json()["id"]
    assert read.json()[0]["recorded_at"] == one.json()["recorded_at"]
    assert read.headers["EventFlow-Next-Offset"] == "6"
    assert read.headers["EventFlow-Head-Offset"] == "6"
    assert read.headers["EventFlow-Lag"] == "6"

    before = shop.get("/streams/orders/stats").json()
    assert before["event_count"] == 6
    assert [(each["id"], each["lag"]) for each in before["consumer_groups"]] == [("billing", 6)]

    committed = shop.post("/streams/orders/consumer-groups/billing/offsets", {"offset": 6})
    assert committed.status_code == 200
    assert committed.json()["data"] == [{"partition": 0, "committed_offset": 6, "status": "committed"}]

    after = shop.get("/streams/orders/stats").json()
    assert [(each["id"], each["lag"], each["lag_seconds"]) for each in after["consumer_groups"]] == [
        ("billing", 0, None)
    ]
    assert shop.get("/streams/orders/events", consumer_group_id="billing").json() == []

    producers = ada.get("/producers").json()
    assert [producer["email"] for producer in producers["data"]] == ["ada@example.com"]
    assert [key["name"] for key in producers["data"][0]["api_keys"]] == ["shop"]
    assert [(s["name"], s["event_count"]) for s in producers["data"][0]["streams"]] == [("orders", 6)]
    assert "secret" not in str(producers)
