"""A relay that dies by `kill -9`, between the append and its own commit or anywhere: each event is appended once."""

import random
import signal
import time
from collections import defaultdict

import pytest
from running import stored, wait_for

pytestmark = pytest.mark.processes
KILLS = 4


def payloads_by_key(client, stream: str) -> dict[str, list]:
    found = defaultdict(list)
    for event in stored(client, stream):
        found[event["key"]].append(event["payload"])
    return dict(found)


def in_order(count: int) -> dict[str, list]:
    return {f"k{k}": list(range(k, count, 7)) for k in range(7)}


def test_a_relay_that_dies_between_the_append_and_its_commit_has_appended_once(shop, stream, network, client):
    shop.run("publish_events", stream, 50)
    network.holds = True
    with shop.started("relay_outbox", EVENTFLOW_API=network.url) as relay:
        assert network.is_answered.wait(30)
        # It is stored, and the application does not know it.
        assert payloads_by_key(client, stream) == in_order(50)
        assert shop.waiting == 50
        relay.kill()
        relay.wait()
    network.holds = False
    # What is published meanwhile does not get into the request that is repeated.
    shop.run("publish_events", stream, 7)
    assert shop.manage("relay_outbox", "--once", EVENTFLOW_API=network.url) == "57 events stored, 0 left\n"
    first, again, after = network.seen("POST /api/v1/events")
    assert (again.headers["idempotency-key"], again.body) == (first.headers["idempotency-key"], first.body)
    assert after.headers["idempotency-key"] != first.headers["idempotency-key"]
    assert payloads_by_key(client, stream) == {key: [*of_key, int(key[1])] for key, of_key in in_order(50).items()}


@pytest.mark.slow("kills relays while an application publishes")
def test_relays_that_are_killed_at_any_moment_lose_and_double_nothing(shop, stream, client):
    count = 400
    with shop.started_program("publish_events", stream, count, 0.02) as application:
        for _ in range(KILLS):
            # Two beside each other: one of them is in the other's way when it dies.
            with shop.started("relay_outbox") as relay, shop.started("relay_outbox"):
                before = len(stored(client, stream))
                wait_for("some work", lambda before=before: len(stored(client, stream)) > before or not shop.waiting)
                time.sleep(random.random() / 4)
                relay.kill()
        assert application.wait(60) == 0
    shop.manage("relay_outbox", "--once")
    assert shop.waiting == 0
    assert payloads_by_key(client, stream) == in_order(count)


def test_a_relay_that_is_told_to_stop_finishes_and_ends_well(shop, stream, client):
    with shop.started("relay_outbox") as relay:
        shop.run("publish_events", stream, 20)
        wait_for("the events", lambda: shop.waiting == 0)
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(30) == 0
    assert payloads_by_key(client, stream) == in_order(20)
