"""`If-Head`: an append to a state that the caller knows, or none."""

from datetime import timedelta

import pytest
from django.utils import timezone

from streams.models import Stream
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def shop(owner):
    make_stream("orders", owner=owner)
    return ApiClient(key=make_key(owner))


def append(client, head, *payloads, **headers):
    events = [{"payload": payload} for payload in payloads]
    body = events[0] if len(events) == 1 else events
    return client.post("/streams/orders/events", body, **{"If-Head": str(head)}, **headers)


def stored(client):
    return [each["payload"] for each in client.get("/streams/orders/events", last_offset=0).json()]


def test_two_who_decide_on_the_same_state_do_not_both_write(shop):
    assert append(shop, 0, "opened").json()["offset"] == 1
    assert append(shop, 1, "mine").json()["offset"] == 2
    refusal = append(shop, 1, "yours")
    assert refusal.status_code == 412
    assert refusal.headers["Content-Type"] == "application/problem+json"
    assert refusal.headers["EventFlow-Head-Offset"] == "2"
    problem = refusal.json()
    assert (problem["code"], problem["head"], problem["retryable"]) == ("head_moved", 2, False)
    assert "The head is 2, not 1" in problem["detail"]
    assert append(shop, problem["head"], "yours, after all").status_code == 202
    assert stored(shop) == ["opened", "mine", "yours, after all"]


def test_a_batch_is_stored_as_a_whole_or_not_at_all(shop):
    assert append(shop, 0, 1, 2, 3).status_code == 202
    assert append(shop, 2, 4, 5).status_code == 412
    assert append(shop, 3, 4, 5).json()["events"][1]["offset"] == 5
    assert stored(shop) == [1, 2, 3, 4, 5]


def test_the_address_without_a_stream_takes_it_too(shop):
    body = {"stream": "orders", "payload": 1}
    assert shop.post("/events", body, **{"If-Head": "1"}).status_code == 412
    assert shop.post("/events", body, **{"If-Head": "0"}).status_code == 202


@pytest.mark.parametrize("text", ["", "-1", "1.0", "+1", "01", "x", "9223372036854775808", '"1"', "1, 2", "*"])
def test_what_is_no_offset_is_refused(shop, text):
    refusal = append(shop, text, 1)
    assert (refusal.status_code, refusal.json()["code"]) == (422, "invalid_parameter")
    assert "whole number" in refusal.json()["detail"]
    assert stored(shop) == []


def test_a_retry_with_the_same_key_is_answered_as_the_first_although_it_moved_the_head_itself(shop):
    first = append(shop, 0, 1, **{"Idempotency-Key": "k"})
    again = append(shop, 0, 1, **{"Idempotency-Key": "k"})
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert stored(shop) == [1]


def test_a_refusal_does_not_use_the_key_up(shop):
    append(shop, 0, 1)
    key = {"Idempotency-Key": "k"}
    assert append(shop, 0, 2, **key).status_code == 412
    assert append(shop, 1, 2, **key).status_code == 202
    assert append(shop, 1, 2, **key).headers["Idempotent-Replayed"] == "true"


def test_the_same_key_with_another_head_is_another_request(shop):
    append(shop, 0, 1, **{"Idempotency-Key": "k"})
    refusal = append(shop, 1, 1, **{"Idempotency-Key": "k"})
    assert (refusal.status_code, refusal.json()["code"]) == (422, "idempotency_key_reused")


def test_keys_that_lead_to_one_partition_of_several_have_one_head(owner):
    make_stream("orders", owner=owner, partitions=8)
    client = ApiClient(key=make_key(owner))
    events = [{"key": "customer-7", "payload": number} for number in range(3)]
    assert client.post("/streams/orders/events", events, **{"If-Head": "0"}).status_code == 202
    assert client.post("/streams/orders/events", events, **{"If-Head": "2"}).json()["head"] == 3
    assert client.post("/streams/orders/events", events, **{"If-Head": "3"}).status_code == 202


@pytest.mark.parametrize(
    "events",
    [
        [{"key": "a", "payload": 1}, {"key": "b", "payload": 1}, {"key": "c", "payload": 1}],
        [{"payload": 1}],
        [{"key": "a", "payload": 1}, {"payload": 1}],
    ],
)
def test_events_that_have_no_head_in_common_are_refused(owner, events):
    make_stream("orders", owner=owner, partitions=8)
    refusal = ApiClient(key=make_key(owner)).post("/streams/orders/events", events, **{"If-Head": "0"})
    assert (refusal.status_code, refusal.json()["code"]) == (422, "head_of_several")


def test_events_of_two_streams_have_no_head_in_common(shop, owner):
    make_stream("other", owner=owner)
    events = [{"stream": "orders", "payload": 1}, {"stream": "other", "payload": 1}]
    refusal = shop.post("/events", events, **{"If-Head": "0"})
    assert (refusal.status_code, refusal.json()["code"]) == (422, "head_of_several")
    assert stored(shop) == []


def test_where_ids_are_stored_once_a_retry_is_told_where_its_event_is(owner):
    make_stream("orders", owner=owner, deduplicate_ids_seconds=60)
    client = ApiClient(key=make_key(owner))
    event = {"id": "a", "payload": 1}
    first = client.post("/streams/orders/events", event, **{"If-Head": "0"}).json()
    assert client.post("/streams/orders/events", event, **{"If-Head": "0"}).json() == first | {"duplicate": True}
    both = [event, {"id": "b", "payload": 2}]
    assert client.post("/streams/orders/events", both, **{"If-Head": "0"}).json()["head"] == 1
    assert client.post("/streams/orders/events", both, **{"If-Head": "1"}).json()["duplicates"] == 1


def test_a_paused_stream_is_refused_as_that(shop):
    Stream.objects.update(is_paused=True, updated_at=timezone.now() + timedelta(seconds=1))
    assert append(shop, 7, 1).json()["code"] == "stream_paused"
