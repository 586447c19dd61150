"""Consuming in offset mode."""

import threading
import time
from collections import Counter

import pytest
from eventflow_client import ConsumerSettings, Event, HandlerFailed, NewEvent, problems
from lossy import CUT_ANSWER, LOSE_ANSWER, LOSE_REQUEST
from running import PATIENCE_SECONDS, append, lag, running, wait_for

from tests.factories import make_stream

pytestmark = pytest.mark.processes
QUICK = ConsumerSettings(wait_seconds=0.3, max_events=10)


@pytest.fixture
def orders(owner) -> str:
    return make_stream(owner=owner, partitions=2).name


@pytest.fixture
def group(client, orders) -> str:
    client.request("POST", f"/streams/{orders}/consumer-groups", {"name": "readers"})
    return "readers"


def committed(client, stream: str) -> dict[int, int]:
    offsets = client.request("GET", f"/streams/{stream}/consumer-groups/readers/offsets")["data"]
    return {each["partition"]: each["committed_offset"] for each in offsets}


def test_every_event_is_given_in_order_and_committed(client, orders, group):
    client.send_many([NewEvent(orders, n, key=f"k{n % 6}") for n in range(60)])
    seen: list[Event] = []
    with running(client.consumer(orders, group, seen.append, settings=QUICK)):
        wait_for("all events", lambda: lag(client, orders, group) == 0)
    for k in range(6):
        assert [event.payload for event in seen if event.key == f"k{k}"] == list(range(k, 60, 6))
    assert len(seen) == 60


@pytest.mark.parametrize("fate", [LOSE_ANSWER, CUT_ANSWER, LOSE_REQUEST])
def test_polls_and_commits_are_tried_again_and_nothing_is_read_twice(client, network, orders, group, fate):
    append(client, orders, 30)
    network.happen(fate, fate, to=f"GET .*/{orders}/events")
    network.happen(fate, fate, to=f"POST .*/{orders}/.*/offsets")
    seen: list[Event] = []
    with running(client.consumer(orders, group, seen.append, settings=QUICK)):
        wait_for("all events", lambda: lag(client, orders, group) == 0)
    assert network.is_quiet
    assert Counter(event.payload for event in seen) == dict.fromkeys(range(30), 1)


def test_what_cannot_be_handled_is_parked_with_its_error_and_the_rest_goes_on(client, orders, group):
    append(client, orders, 10)
    seen: list[int] = []

    def handle(event: Event) -> None:
        seen.append(event.payload)
        if event.payload == 4:
            raise LookupError("no such customer")

    with running(client.consumer(orders, group, handle, settings=QUICK)):
        wait_for("all events", lambda: lag(client, orders, group) == 0)
    (dead,) = client.request("GET", "/dead-letters", stream=orders)["data"]
    assert (dead["offset"], dead["last_error"]) == (5, "LookupError: no such customer")
    assert seen == list(range(10))


def test_or_it_stops_there_and_goes_on_there(client, orders, group):
    append(client, orders, 10, key="k")
    settings = ConsumerSettings(wait_seconds=0.3, on_failure="stop")
    seen: list[int] = []

    def handle(event: Event) -> None:
        seen.append(event.payload)
        if event.payload == 4 and seen.count(4) == 1:
            raise LookupError("no such customer")

    with pytest.raises(HandlerFailed) as failed:
        client.consumer(orders, group, handle, settings=settings).run()
    assert (failed.value.event.payload, str(failed.value.__cause__)) == (4, "no such customer")
    assert seen == [0, 1, 2, 3, 4]
    assert max(committed(client, orders).values()) == 4
    with running(client.consumer(orders, group, handle, settings=settings)):
        wait_for("the rest", lambda: lag(client, orders, group) == 0)
    assert seen == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9]


def test_stopping_commits_what_was_done_and_begins_nothing_more(client, orders, group):
    append(client, orders, 10, key="k")
    begun, released = threading.Event(), threading.Event()
    seen: list[int] = []

    def handle(event: Event) -> None:
        seen.append(event.payload)
        if event.payload == 3:
            begun.set()
            released.wait(PATIENCE_SECONDS)

    consumer = client.consumer(orders, group, handle, settings=QUICK)
    with running(consumer):
        begun.wait(PATIENCE_SECONDS)
        consumer.stop()
        time.sleep(0.2)
        released.set()
    assert seen == [0, 1, 2, 3]
    assert max(committed(client, orders).values()) == 4


def test_a_committed_offset_follows_handlers_that_take_long(client, orders, group):
    append(client, orders, 5, key="k")
    released = threading.Event()

    def handle(event: Event) -> None:
        if event.payload == 3:
            released.wait(PATIENCE_SECONDS)

    settings = ConsumerSettings(wait_seconds=0.3, commit_seconds=0.1)
    with running(client.consumer(orders, group, handle, settings=settings)):
        wait_for("the first three", lambda: max(committed(client, orders).values()) == 3)
        released.set()


def test_only_some_types_and_what_was_passed_over_is_committed(client, orders, group):
    client.send_many([NewEvent(orders, n, type="paid" if n % 10 == 0 else "seen") for n in range(30)])
    seen: list[int] = []
    settings = ConsumerSettings(wait_seconds=0.3, types=["paid"])
    with running(client.consumer(orders, group, lambda event: seen.append(event.payload), settings=settings)):
        wait_for("all", lambda: lag(client, orders, group) == 0)
    assert seen == [0, 10, 20]


@pytest.mark.parametrize("mode", ["offset", "lease"])
def test_a_group_with_a_filter_is_given_what_it_lets_through_and_finishes_the_rest(client, orders, mode):
    client.send_many([NewEvent(orders, n, type="paid" if n % 10 == 0 else "seen") for n in range(30)])
    made = client.groups.create(orders, mode, mode=mode, filter={"types": ["paid"]})
    assert made.filter is not None
    assert made.filter["types"] == ["paid"]
    seen: list[int] = []
    with running(client.consumer(orders, mode, lambda event: seen.append(event.payload), settings=QUICK)):
        wait_for("all", lambda: lag(client, orders, mode) == 0)
    assert seen == [0, 10, 20]


def test_batches_are_of_one_partition(client, orders, group):
    client.send_many([NewEvent(orders, n, key=f"k{n}") for n in range(20)])
    batches: list[list[Event]] = []
    with running(
        client.consumer(orders, group, batch_handler=lambda events: batches.append(list(events)), settings=QUICK)
    ):
        wait_for("all", lambda: lag(client, orders, group) == 0)
    assert sum(map(len, batches)) == 20
    assert all(len({event.partition for event in batch}) == 1 for batch in batches)


def test_somebody_may_seek_back_meanwhile(client, orders, group):
    append(client, orders, 10, key="k")
    seen: list[int] = []
    with running(client.consumer(orders, group, lambda event: seen.append(event.payload), settings=QUICK)):
        wait_for("all", lambda: lag(client, orders, group) == 0)
        client.request("POST", f"/streams/{orders}/consumer-groups/readers/seek", {"to": "earliest"})
        wait_for("them again", lambda: len(seen) == 20 and lag(client, orders, group) == 0)


def test_a_paused_group_is_waited_for(client, orders, group):
    path = f"/streams/{orders}/consumer-groups/readers"
    client.request("PATCH", path, {"paused": True})
    append(client, orders, 1)
    seen: list[Event] = []
    with running(client.consumer(orders, group, seen.append, settings=QUICK)):
        time.sleep(0.3)
        assert seen == []
        client.request("PATCH", path, {"paused": False})
        wait_for("the event", lambda: seen)


def test_a_right_that_ends_ends_it(client, orders, group, owner):
    key = client.me().api_key
    assert key is not None
    consumer = client.consumer(orders, group, print, settings=QUICK)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            consumer.run()
        except problems.InvalidCredentials as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.5)
    owner.is_active = False
    owner.save()
    thread.join(PATIENCE_SECONDS)
    assert len(failed) == 1
