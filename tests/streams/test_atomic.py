"""`EventFlow-Atomic: required`: several events are stored wholly or not at all, or the request is refused."""

import pytest

from tests.client import ApiClient
from tests.factories import make_key, make_owner

SEVERAL = [{"key": key, "payload": key} for key in "abc"]


@pytest.fixture
def shop(distant):
    client = ApiClient(key=make_key(make_owner()))
    assert client.post("/streams", {"name": "orders", "engine": "distant"}).status_code == 201
    assert client.post("/streams", {"name": "here", "partitions": 3}).status_code == 201
    return client


def test_where_it_is_not_promised_several_events_are_refused_and_nothing_is_stored(shop, distant):
    distant.weather.calls.clear()
    for headers in ({}, {"Idempotency_Key": "k"}):
        refused = shop.post("/streams/orders/events", SEVERAL, EventFlow_Atomic="required", **headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "not_offered")
        assert "wholly or not at all" in refused.json()["detail"]
        assert "distant" in refused.json()["detail"]
    assert distant.weather.calls == []
    assert shop.post("/streams/orders/events", SEVERAL).status_code == 202


def test_one_event_is_always_stored_wholly_or_not_at_all(shop):
    assert shop.post("/streams/orders/events", {"payload": 1}, EventFlow_Atomic="required").status_code == 202


def test_in_postgresql_it_is_always_promised(shop):
    assert shop.post("/streams/here/events", SEVERAL, EventFlow_Atomic="required").status_code == 202


@pytest.mark.parametrize("value", ["", "yes", "Required", "required, required"])
def test_anything_else_is_refused(shop, value):
    refused = shop.post("/streams/here/events", SEVERAL, EventFlow_Atomic=value)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_parameter")
    assert refused.json()["errors"][0]["pointer"] == "?EventFlow-Atomic"
