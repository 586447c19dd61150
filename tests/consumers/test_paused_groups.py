"""Pausing a group means that nothing is read as it: in offset mode polls are refused, in lease mode nothing is handed out."""

import pytest

from consumers.queries import forget_groups
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")
GROUPS = "/streams/orders/consumer-groups"


@pytest.fixture
def client() -> ApiClient:
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    for name, mode in (("readers", "offset"), ("workers", "lease")):
        make_group(stream, name, mode=mode, owner=owner)
    client = ApiClient(key=make_key(owner))
    for number in range(3):
        assert client.post("/events", {"stream": "orders", "payload": number}).status_code == 202
    return client


def pause(client: ApiClient, group: str, *, paused: bool = True) -> None:
    assert client.patch(f"{GROUPS}/{group}", {"paused": paused}).status_code == 200
    forget_groups()


def test_polls_with_a_paused_group_are_refused_until_it_goes_on(client):
    pause(client, "readers")
    for more in ({}, {"last_offset": "0"}, {"wait": "5"}):
        refused = client.get("/streams/orders/events", consumer_group_id="readers", **more)
        assert (refused.status_code, refused.json()["code"]) == (409, "group_paused")
        assert "readers" in refused.json()["detail"]
    pause(client, "readers", paused=False)
    assert len(client.get("/streams/orders/events", consumer_group_id="readers").json()) == 3


def test_what_was_read_before_may_be_committed(client):
    pause(client, "readers")
    answer = client.post(f"{GROUPS}/readers/offsets", {"offset": 2})
    assert answer.status_code == 200, answer.content
    assert client.get(f"{GROUPS}/readers/offsets").json()["data"][0]["committed_offset"] == 2


def test_reading_for_nobody_and_for_others_goes_on(client):
    pause(client, "readers")
    assert len(client.get("/streams/orders/events").json()) == 3
    assert len(client.post(f"{GROUPS}/workers/lease", {"max_events": 10}).json()["deliveries"]) >= 1


def test_a_paused_group_in_lease_mode_hands_out_nothing(client):
    pause(client, "workers")
    answer = client.post(f"{GROUPS}/workers/lease", {"max_events": 10})
    assert (answer.status_code, answer.json()["deliveries"]) == (200, [])
