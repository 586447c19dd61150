"""Events that are sent one by one or together, and waited for."""

from datetime import UTC, datetime

import pytest
from eventflow_client import EventFlow, NewEvent, NoAnswer, NotJson, Retries, blame, encode_event, problems, traced
from lossy import BAD_GATEWAY, CUT_ANSWER, LOSE_ANSWER, LOSE_REQUEST, OTHER_PAGE, OTHER_PROBLEM

pytestmark = pytest.mark.processes


def stored(client: EventFlow, stream: str) -> list:
    return client.request("GET", f"/streams/{stream}/events", last_offset="earliest", limit=1000)


def test_an_event_is_where_the_answer_says(client, orders):
    happened = datetime(2026, 11, 22, 10, tzinfo=UTC)
    where = client.send(
        orders, {"n": 1}, type="order.created", key="k", id="order-1", occurred_at=happened, headers={"tenant": "a"}
    )
    (event,) = stored(client, orders)
    assert (where.stream, where.partition, where.offset, where.id) == (orders, 0, 1, "order-1")
    assert (event["payload"], event["type"], event["key"], event["headers"]) == (
        {"n": 1},
        "order.created",
        "k",
        {"tenant": "a"},
    )
    assert event["occurred_at"].startswith("2026-11-22T10:00:00")


@pytest.mark.parametrize("fate", [LOSE_ANSWER, CUT_ANSWER, LOSE_REQUEST, BAD_GATEWAY, OTHER_PROBLEM, OTHER_PAGE])
def test_it_is_stored_once_whatever_is_lost(client, network, orders, fate):
    network.happen(fate, fate)
    where = client.send(orders, "x")
    attempts = network.seen("POST .*/events")
    assert len(attempts) == 3
    assert len({(each.headers["idempotency-key"], each.body) for each in attempts}) == 1
    assert [event["offset"] for event in stored(client, orders)] == [where.offset] == [1]


def test_a_refusal_is_not_tried_again_and_is_an_exception_of_its_name(client, network):
    with pytest.raises(problems.StreamNotFound) as refused:
        client.send("nothing", 1)
    assert len(network.requests) == 1
    assert (refused.value.code, refused.value.status, refused.value.may_be_stored) == ("stream_not_found", 404, False)
    assert refused.value.request_id and refused.value.detail


def test_of_many_all_are_stored_or_none(client, orders):
    with pytest.raises(problems.InvalidEvents) as refused:
        client.send_many([NewEvent(orders, 1), NewEvent(orders, 2, key="k" * 600)])
    (error,) = refused.value.errors
    assert error.pointer == "/1/key"
    assert stored(client, orders) == []
    where = client.send_many([NewEvent(orders, 1), NewEvent(orders, 2)])
    assert [each.offset for each in where] == [1, 2]


def test_what_was_encoded_earlier_is_stored_once_by_any_number_of_attempts(client, network, orders):
    bodies = [encode_event({"n": n}, stream=orders, key="k") for n in range(3)]
    network.happen(LOSE_ANSWER)
    for _ in range(2):
        client.send_encoded(bodies, idempotency_key="written-down")
    assert len({(each.headers["idempotency-key"], each.body) for each in network.seen("POST .*/events")}) == 1
    assert [(event["payload"]["n"], event["key"]) for event in stored(client, orders)] == [(0, "k"), (1, "k"), (2, "k")]


def test_of_what_was_encoded_earlier_one_may_be_to_blame(client, orders):
    bodies = [encode_event(n, stream=orders, key="k" * 600 if n == 1 else None) for n in range(3)]
    with pytest.raises(problems.InvalidEvents) as refused:
        client.send_encoded(bodies, idempotency_key="refused")
    after = blame(refused.value, [0, 1, 2])
    assert (list(after.failed), after.again) == ([1], [[0, 2]])
    assert [each.pointer for each in after.failed[1].errors] == ["/key"]
    assert stored(client, orders) == []


def test_it_gives_up_in_time_and_says_that_nobody_knows(network, key, orders):
    network.happen(*[LOSE_ANSWER] * 100)
    retries = Retries(total_seconds=0.5, first_pause_seconds=0.01, longest_pause_seconds=0.1)
    with EventFlow(network.url, key=key, retries=retries) as client, pytest.raises(NoAnswer) as failed:
        client.send(orders, 1)
    assert failed.value.may_be_stored


def test_where_nobody_listens_certainly_nothing_was_stored(key, orders):
    with (
        EventFlow("http://127.0.0.1:9", key=key, retries=Retries(total_seconds=0)) as client,
        pytest.raises(NoAnswer) as failed,
    ):
        client.send(orders, 1)
    assert not failed.value.may_be_stored


def test_a_refusal_after_a_lost_answer_does_not_claim_to_know(client, network, orders):
    client.request("PATCH", f"/streams/{orders}", {"paused": True})
    network.happen(LOSE_REQUEST)
    with pytest.raises(problems.StreamPaused) as refused:
        client.send(orders, 1)
    assert refused.value.may_be_stored


def test_only_if_nothing_came_in_between(client, orders):
    client.send(orders, 1, if_head=0)
    with pytest.raises(problems.HeadMoved) as moved:
        client.send(orders, 2, if_head=0)
    assert moved.value.members["head"] == 1


@pytest.mark.parametrize("payload", [float("nan"), {"a": [1, float("-inf")]}, {"a": object()}, "\ud800"])
def test_what_json_cannot_say_is_not_sent(client, network, orders, payload):
    with pytest.raises(NotJson):
        client.send(orders, payload)
    assert network.requests == []


def test_what_has_no_method_of_its_own_is_sent_as_strictly(client, network, orders):
    for body in ({"payload": float("nan")}, {"payload": object()}):
        with pytest.raises(NotJson):
            client.request("POST", f"/streams/{orders}/events", body)
    assert network.requests == []
    assert client.request("GET", f"/streams/{orders}/events", wait=0.00001, partition=None, last_offset=0) == []


def test_numbers_of_any_size_and_nulls_are_sent(client, orders):
    client.send(orders, {"n": 2**200, "none": None, "f": 0.5})
    assert client.request("GET", f"/streams/{orders}/events/0/1")["payload"] == {"n": 2**200, "none": None, "f": 0.5}


def test_what_is_sent_within_a_trace_is_part_of_it(client, orders):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with traced(trace):
        client.send(orders, 1)
    client.send(orders, 2)
    assert [event["headers"].get("traceparent") for event in stored(client, orders)] == [trace, None]
