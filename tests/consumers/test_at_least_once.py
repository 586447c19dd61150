"""Offset mode over HTTP: consumers that die at any step lose nothing, since whoever follows reads what was not committed."""

import random
import threading
import time
from collections import Counter
from contextlib import suppress
from functools import partial

import pytest

from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.threads import at_once

pytestmark = pytest.mark.usefixtures("db_with_commits")

EVENTS = 300
GROUP = "/streams/orders/consumer-groups/billing"


class Died(Exception):
    """A consumer is gone, with all that it knew."""


def test_every_event_reaches_the_group_though_its_consumers_die_at_every_step():
    owner = make_owner()
    make_group(make_stream("orders", owner=owner, partitions=2), "billing")
    key = make_key(owner)
    # Of both consumers: (partition, offset) → how often it was worked through.
    done: Counter[tuple[int, int]] = Counter()
    deaths: Counter[str] = Counter()
    sent: set[tuple[int, int]] = set()
    lock = threading.Lock()

    def produce() -> None:
        client = ApiClient(key=key)
        for number in range(EVENTS):
            answer = client.post("/events", {"stream": "orders", "key": f"k{number}", "payload": number})
            assert answer.status_code == 202
            with lock:
                sent.add((answer.json()["partition"], answer.json()["offset"]))

    def may_die(luck: random.Random, step: str, chance: float = 0.08) -> None:
        if luck.random() < chance:
            with lock:
                deaths[step] += 1
            raise Died

    def live(luck: random.Random) -> None:
        """Poll, work, commit, until all is done or something kills it."""
        client = ApiClient(key=key)
        while len(sent) < EVENTS or any(not done[event] for event in sent):
            answer = client.get("/streams/orders/events", consumer_group_id="billing", limit=luck.randint(1, 20))
            assert answer.status_code == 200, answer.json()["detail"]
            may_die(luck, "after the poll")
            reached: dict[int, int] = {}
            for event in answer.json():
                may_die(luck, "between two events", 0.015)
                with lock:
                    done[event["partition"], event["offset"]] += 1
                reached[event["partition"]] = event["offset"]
            may_die(luck, "before the commit")
            if reached:
                offsets = [{"partition": each, "offset": offset} for each, offset in reached.items()]
                committed = client.post(f"{GROUP}/offsets", {"offsets": offsets})
                assert committed.status_code == 200
                with lock:
                    # Nothing is committed that nobody has worked through.
                    for row in committed.json()["data"]:
                        missing = [n for n in range(1, row["committed_offset"] + 1) if not done[row["partition"], n]]
                        assert missing == []
                may_die(luck, "after the commit, its answer lost")

    def consume(seed: int) -> None:
        luck = random.Random(seed)
        deadline = time.monotonic() + 50
        while time.monotonic() < deadline:
            with suppress(Died):
                return live(luck)
        raise AssertionError("it never came to an end")

    at_once(produce, partial(consume, 1), partial(consume, 2))

    assert set(done) == sent
    assert len(sent) == EVENTS
    # They died at every step, and therefore some things were done more than once.
    assert len(deaths) == 4
    assert max(done.values()) > 1
