"""Consuming in lease mode."""

import threading
import time
from collections import Counter

import pytest
from eventflow_client import (
    ConsumerSettings,
    Event,
    GiveUp,
    NewEvent,
    SomeFailed,
    TryLater,
    current_traceparent,
    problems,
)
from lossy import LOSE_ANSWER, LOSE_REQUEST
from running import PATIENCE_SECONDS, append, deliveries, lag, running, wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def group(client, orders) -> str:
    body = {"name": "workers", "mode": "lease", "backoff": [0], "max_failures": 3, "ack_wait": 60}
    client.request("POST", f"/streams/{orders}/consumer-groups", body)
    return "workers"


QUICK = ConsumerSettings(wait_seconds=0.3, max_events=10)


def test_every_event_is_given_and_acked(client, orders, group):
    append(client, orders, 35)
    seen: list[Event] = []
    with running(client.consumer(orders, group, seen.append, settings=QUICK)):
        wait_for("all events", lambda: len(seen) == 35)
    assert [event.payload for event in seen] == list(range(35))
    assert (lag(client, orders, group), deliveries(client, orders, group)) == (0, [])


@pytest.mark.parametrize("fate", [LOSE_ANSWER, LOSE_REQUEST])
def test_acks_are_tried_again_and_nothing_comes_twice(client, network, orders, group, fate):
    append(client, orders, 30)
    network.happen(fate, fate, fate, to=f"{orders}/.*/ack")
    seen: list[Event] = []
    with running(client.consumer(orders, group, seen.append, settings=QUICK)):
        wait_for("all events to be acked", lambda: lag(client, orders, group) == 0)
    assert network.is_quiet
    assert [event.offset for event in seen] == list(range(1, 31))


def test_one_failure_comes_again_alone_with_its_text(client, orders, group):
    append(client, orders, 10)
    seen: Counter[int] = Counter()

    def handle(event: Event) -> None:
        seen[event.payload] += 1
        if event.payload == 4:
            raise LookupError("no such customer")

    with running(client.consumer(orders, group, handle, settings=QUICK)):
        wait_for("the dead letter", lambda: client.request("GET", "/dead-letters", stream=orders)["data"])
    (dead,) = client.request("GET", "/dead-letters", stream=orders)["data"]
    assert (dead["offset"], dead["last_error"], dead["failure_count"]) == (5, "LookupError: no such customer", 3)
    assert seen == {n: 3 if n == 4 else 1 for n in range(10)}


def test_a_handler_can_say_how_it_goes_on(client, orders, group):
    append(client, orders, 3)
    seen: list[int] = []

    def handle(event: Event) -> None:
        seen.append(event.payload)
        if event.payload == 0:
            raise GiveUp("never")
        if event.payload == 1:
            raise TryLater("not now", delay=3600)

    with running(client.consumer(orders, group, handle, settings=QUICK)):
        wait_for("the dead letter", lambda: client.request("GET", "/dead-letters", stream=orders)["data"])
        wait_for("the third", lambda: len(seen) == 3)
    (dead,) = client.request("GET", "/dead-letters", stream=orders)["data"]
    assert (dead["reason"], dead["last_error"]) == ("terminal", "never")
    (waiting,) = deliveries(client, orders, group)
    assert (waiting["state"], waiting["first_offset"], waiting["last_error"]) == ("waiting", 2, "not now")


def test_batches_fail_as_a_whole_or_by_name(client, orders, group):
    append(client, orders, 10)
    batches: list[list[int]] = []

    def handle(events) -> None:
        batches.append([event.payload for event in events])
        if len(batches) == 1:
            raise ConnectionError("the database is away")
        if len(batches) == 2:
            raise SomeFailed({events[3].offset: "bad"})

    with running(client.consumer(orders, group, batch_handler=handle, settings=QUICK)):
        wait_for("the rest", lambda: len(batches) >= 3)
        wait_for("all of it", lambda: lag(client, orders, group) == 0)
    assert batches == [list(range(10)), list(range(10)), [3]]


def test_leases_are_kept_while_a_handler_works(client, orders):
    body = {"name": "slow", "mode": "lease", "ack_wait": 1, "backoff": [0]}
    client.request("POST", f"/streams/{orders}/consumer-groups", body)
    append(client, orders, 3)
    seen: list[int] = []

    def handle(event: Event) -> None:
        seen.append(event.payload)
        time.sleep(1.5)

    with running(client.consumer(orders, "slow", handle, settings=QUICK)):
        wait_for("all of it", lambda: lag(client, orders, "slow") == 0)
    # Each took longer than the ack wait, and the last waited for thrice as long: nobody was given one again.
    assert seen == [0, 1, 2]


def test_what_a_lost_lease_has_left_is_not_begun(client, network, orders):
    body = {"name": "slow", "mode": "lease", "ack_wait": 1, "backoff": [0], "max_failures": 100}
    client.request("POST", f"/streams/{orders}/consumer-groups", body)
    append(client, orders, 3)
    network.happen(*[LOSE_REQUEST] * 100, to="/extend")
    begun: list[int] = []
    released = threading.Event()

    def handle(event: Event) -> None:
        begun.append(event.payload)
        released.wait(PATIENCE_SECONDS)

    consumer = client.consumer(orders, "slow", handle, settings=ConsumerSettings(wait_seconds=0, max_events=3))
    with running(consumer):
        wait_for("the first", lambda: begun == [0])
        other = client.request
        path = f"/streams/{orders}/consumer-groups/slow/lease"
        wait_for("somebody else to get it", lambda: other("POST", path, {"max_events": 3})["deliveries"])
        network._fates.clear()
        wait_for("a heartbeat that is told so", lambda: any("/extend" in each.path for each in network.requests[-2:]))
        time.sleep(0.5)
        consumer.stop()
        released.set()
    assert begun == [0]


def test_stopping_finishes_what_is_begun_and_gives_the_rest_back(client, orders, group):
    append(client, orders, 10)
    begun, released = threading.Event(), threading.Event()
    seen: list[int] = []

    def handle(events) -> None:
        begun.set()
        released.wait(PATIENCE_SECONDS)
        seen.extend(event.offset for event in events)

    settings = ConsumerSettings(wait_seconds=0.3, max_events=5)
    consumer = client.consumer(orders, group, batch_handler=handle, settings=settings)
    with running(consumer) as thread:
        begun.wait(PATIENCE_SECONDS)
        wait_for("the second delivery, fetched ahead", lambda: len(deliveries(client, orders, group)) == 2)
        consumer.stop()
        wait_for(
            "it to be given back", lambda: "waiting" in {each["state"] for each in deliveries(client, orders, group)}
        )
        assert thread.is_alive()
        released.set()
        thread.join(PATIENCE_SECONDS)
    (left,) = deliveries(client, orders, group)
    assert seen == list(range(1, 6))
    assert (left["state"], left["first_offset"], left["failure_count"]) == ("waiting", 6, 0)


def test_handlers_that_do_not_end_are_not_waited_for_for_ever(client, orders, group):
    append(client, orders, 1)
    begun, released = threading.Event(), threading.Event()

    def handle(_event: Event) -> None:
        begun.set()
        released.wait(PATIENCE_SECONDS)

    consumer = client.consumer(orders, group, handle, settings=ConsumerSettings(wait_seconds=0.1, stop_seconds=0.3))
    with running(consumer) as thread:
        begun.wait(PATIENCE_SECONDS)
        consumer.stop()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
        # Unpunished: another gets it at once.
        (left,) = deliveries(client, orders, group)
        assert (left["state"], left["failure_count"]) == ("waiting", 0)
        released.set()


def test_handlers_work_side_by_side_and_each_key_keeps_its_order(client, orders, group):
    client.send_many([NewEvent(orders, n, key=f"k{n % 4}") for n in range(40)])
    together, most = 0, 0
    lock = threading.Lock()
    seen: list[tuple[str | None, int]] = []

    def handle(event: Event) -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.01)
        with lock:
            together -= 1
            seen.append((event.key, event.payload))

    settings = ConsumerSettings(wait_seconds=0.3, max_events=40, concurrency=4)
    with running(client.consumer(orders, group, handle, settings=settings)):
        wait_for("all events", lambda: len(seen) == 40)
    assert most > 1
    for k in range(4):
        assert [payload for key, payload in seen if key == f"k{k}"] == list(range(k, 40, 4))


def test_a_trace_goes_through_the_handler_into_what_it_sends(client, orders, group):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client.send(orders, 1, headers={"traceparent": trace})
    seen: list[str | None] = []

    def handle(event: Event) -> None:
        seen.append(current_traceparent())
        if event.payload == 1:
            client.send(orders, 2)

    with running(client.consumer(orders, group, handle, settings=QUICK)):
        wait_for("both", lambda: len(seen) == 2)
    assert seen == [trace, trace]


def test_it_goes_on_when_the_server_was_away(client, network, orders, group):
    network.happen(*[LOSE_REQUEST] * 5, to="/lease")
    seen: list[Event] = []
    with running(client.consumer(orders, group, seen.append, settings=QUICK)):
        wait_for("the network", lambda: network.is_quiet)
        append(client, orders, 1)
        wait_for("the event", lambda: seen)


def test_a_group_that_is_not_there_ends_it(client, orders):
    with pytest.raises(problems.ConsumerGroupNotFound):
        client.consumer(orders, "nobody", print).run()
