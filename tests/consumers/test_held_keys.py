"""Which keys hold up events, since when and by what: over HTTP, on the group's page, in its deliveries and its numbers."""

import pytest
from django.utils import timezone

from consumers.group_standings import list_standings
from consumers.models import ConsumerGroup
from consumers.services.key_order import EndedKey, let_next_go
from streams.log import get_log
from tests.client import ApiClient
from tests.consumers.leases import info
from tests.factories import make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")
GROUPS = "/streams/orders/consumer-groups"


@pytest.fixture
def api():
    owner = make_owner()
    make_stream("orders", owner=owner)
    return ApiClient(key=make_key(owner))


def make_group(api, **settings):
    body = {"name": "billing", "mode": "lease", "ordering": "key", "backoff": [1000]} | settings
    answer = api.post(GROUPS, body)
    assert answer.status_code == 201, answer.json()
    return ConsumerGroup.objects.select_related("stream").get(name="billing")


def append(api, *keys):
    answer = api.post("/events", [{"stream": "orders", "payload": 1, "key": key} for key in keys])
    assert answer.status_code == 202, answer.json()


def lease(api, consumer="worker-1"):
    return api.post(f"{GROUPS}/billing/lease", {"max_events": 100, "consumer": consumer}).json()["deliveries"]


def say(api, verb, *deliveries, **more):
    named = [{name: each[name] for name in ("delivery_id", "lease_token")} | more for each in deliveries]
    assert api.post(f"{GROUPS}/billing/{verb}", {"deliveries": named}).status_code == 200


def held_keys(api):
    answer = api.get(f"{GROUPS}/billing/held-keys")
    assert answer.status_code == 200, answer.json()
    return answer.json()


def test_a_failing_key_is_told_with_what_it_holds_up_and_why_and_the_others_go_on(api):
    make_group(api)
    append(api, "alice", "bob", "alice", "alice", "carol", "bob")
    alice, bob, _ = lease(api)
    say(api, "nack", alice, error="no such customer")

    told = held_keys(api)
    assert (told["held_up"], told["most"]) == (3, 100_000)
    by_key = {each["key"]: each for each in told["data"]}
    assert [(each["key"], each["held_up"], each["offset"], each["state"]) for each in told["data"]] == [
        ("alice", 2, 1, "waiting"),
        ("bob", 1, 2, "leased"),
    ]
    assert by_key["alice"]["last_error"] == "no such customer"
    assert by_key["alice"]["failure_count"] == 1
    assert by_key["alice"]["available_at"] is not None
    assert by_key["bob"]["leased_by"] == "worker-1"
    assert by_key["bob"]["expires_at"] is not None
    assert all(each["since"] for each in told["data"])

    say(api, "ack", bob)
    assert [each["key"] for each in held_keys(api)["data"]] == ["alice"]
    assert [each["first_offset"] for each in lease(api)] == [6]
    # Who manages the group has it tried now.
    api.post(f"{GROUPS}/billing/deliveries/{by_key['alice']['delivery_id']}/retry-now")
    (again,) = lease(api)
    say(api, "ack", again)
    assert [each["first_offset"] for each in lease(api)] == [3]


def test_what_is_held_up_is_among_the_deliveries(api):
    make_group(api)
    append(api, "a", "a")
    lease(api)

    (found,) = api.get(f"{GROUPS}/billing/deliveries?state=held_up").json()["data"]
    assert (found["state"], found["first_offset"], found["delivery_count"]) == ("held_up", 2, 0)
    answer = api.post(f"{GROUPS}/billing/deliveries/{found['delivery_id']}/retry-now")
    assert (answer.status_code, answer.json()["code"]) == (409, "delivery_not_waiting")
    timeline = api.get("/streams/orders/events/0/2/timeline").json()
    assert timeline["groups"][0]["state"] == "held_up"


def test_it_is_counted_apart_from_what_waits(api):
    group = make_group(api)
    append(api, "a", "a", "a")
    lease(api)

    (standing,) = list_standings(ConsumerGroup.objects.filter(pk=group.pk), now=timezone.now())
    assert (standing.in_flight, standing.waiting, standing.held_up, standing.lag) == (1, 0, 2, 3)
    (told,) = api.get("/streams/orders/stats").json()["consumer_groups"]
    assert told["held_up"] == 2


def test_a_key_whose_event_retention_took_has_no_name(api):
    group = make_group(api)
    append(api, "a")
    append(api, "a")
    lease(api)
    get_log().trim(info(group).partition(0), keep_events=1)

    assert [each["key"] for each in held_keys(api)["data"]] == [None]


def test_a_group_without_that_order_holds_up_nothing_and_one_that_commits_has_no_keys(api):
    make_group(api, ordering="none")
    append(api, "a", "a")
    lease(api)
    assert held_keys(api)["data"] == []

    api.post(GROUPS, {"name": "reader"})
    answer = api.get(f"{GROUPS}/reader/held-keys")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_mode")


def test_the_order_is_changed_over_http(api):
    make_group(api, ordering="none")
    append(api, "a", "a")
    (first,) = lease(api)
    assert api.patch(f"{GROUPS}/billing", {"ordering": "key"}).json()["ordering"] == "key"
    append(api, "a", "a")

    assert lease(api) == []
    say(api, "ack", first)
    assert [each["first_offset"] for each in lease(api)] == [3]


def test_letting_a_key_go_that_nobody_holds_up_does_nothing():
    let_next_go(1, [EndedKey(1, None), EndedKey(1, 7)])
