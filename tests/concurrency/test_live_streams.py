"""Live streams whose server is killed again and again: whoever goes on by the last id misses nothing, in order."""

import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from streams.models import Partition, Stream
from streams.services.lifecycle import change_stream
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream
from tests.live import LiveStream
from tests.run.instance import wait_for
from tests.threads import Work
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

KILLS = 5
TYPES = ("even", "odd")


class Follower:
    """Somebody who follows a stream and comes again, with the last id, whenever the connection has ended.

    Attributes:
        events: what they were given, in order.
        broken: how often a connection ended.
    """

    def __init__(self, port: int, key: str, query: str) -> None:
        self.port, self.key, self.query = port, key, query
        self.events: list[dict[str, Any]] = []
        self.kinds: set[str] = set()
        self.broken = 0
        self.is_over = threading.Event()

    def follow(self) -> None:
        last_id = None
        while not self.is_over.is_set():
            headers = {"X_API_Key": self.key} | ({} if last_id is None else {"Last_Event_ID": last_id})
            try:
                live = LiveStream(self.port, f"/streams/orders/events/live{self.query}", timeout=2.0, **headers)
            except OSError:
                time.sleep(0.02)
                continue
            with live:
                # Whoever was asked may be killed before they have found anything.
                assert live.status == 200, live.answer.read()
                try:
                    while not self.is_over.is_set() and (block := live.next_block()) is not None:
                        if block.is_event:
                            self.kinds.add(block.kind)
                            self.events.append(block.json())
                        last_id = live.last_id or last_id
                except TimeoutError:
                    continue
            self.broken += 1

    def offsets(self) -> dict[int, list[int]]:
        by_partition: dict[int, list[int]] = defaultdict(list)
        for event in self.events:
            by_partition[event["partition"]].append(event["offset"])
        return by_partition


def produce(api: ApiClient, is_over: threading.Event) -> int:
    """Append one by one and in batches until it is over; return how many were stored."""
    stored = 0
    for turn in count():
        if is_over.is_set():
            return stored
        size = 1 if turn % 3 else 20
        events = [
            {"key": f"k{number % 7}", "type": TYPES[number % 2], "payload": number}
            for number in range(stored, stored + size)
        ]
        assert api.post("/streams/orders/events", events).status_code == 202
        stored += size
        time.sleep(0.005)
    raise AssertionError("it counts for ever")


def kill_a_worker(web: WebServer) -> None:
    """Kill the older one: a worker that ends soon after its start is not started again."""
    before = web.worker_pids()
    victim = before[0]
    os.kill(victim, signal.SIGKILL)
    wait_for("another worker", lambda: victim not in web.worker_pids() and len(web.worker_pids()) == len(before))
    wait_for("an answer", web.answers)
    time.sleep(2.5)


def test_kill_9_of_the_web_workers_skips_nothing_and_doubles_nothing():
    owner = make_owner()
    stream = make_stream("orders", owner=owner, partitions=2)
    key = make_key(owner)
    is_over = threading.Event()
    with WebServer(workers=2) as web:
        followers = {
            name: Follower(web.port, key, query)
            for name, query in {
                "all": "?last_offset=earliest",
                "one": "?partition=1&last_offset=earliest",
                "odd": "?type=odd&last_offset=earliest",
            }.items()
        }
        works = [Work(follower.follow) for follower in followers.values()]
        # Not by the server that is killed: each append is certain.
        producer = Work(partial(produce, ApiClient(key=key), is_over))
        for turn in range(KILLS):
            kill_a_worker(web)
            if turn == KILLS // 2:
                add_partitions(stream, 40)
        is_over.set()
        stored = producer.result()
        heads = dict(Partition.objects.values_list("number", "head_offset"))
        for name, follower in followers.items():
            wait_for(f"all that {name} has to come", is_complete(follower, name, heads, stored))
            follower.is_over.set()
        for work in works:
            work.result()
    assert sum(heads.values()) == stored
    whole = {number: list(range(1, head + 1)) for number, head in heads.items() if head}
    assert followers["all"].offsets() == whole
    assert followers["one"].offsets() == {1: list(range(1, heads[1] + 1))}
    odd = followers["odd"].offsets()
    wanted = defaultdict(list)
    for event in followers["all"].events:
        if event["type"] == "odd":
            wanted[event["partition"]].append(event["offset"])
    assert odd == wanted
    assert sum(follower.broken for follower in followers.values()) >= KILLS - 1, "they were cut off"
    assert {kind for follower in followers.values() for kind in follower.kinds} == {"message"}


def add_partitions(stream: Stream, partitions: int) -> None:
    change_stream(stream=stream, changes={"partition_count": partitions}, now=timezone.now(), confirm=stream.name)


def is_complete(follower: Follower, name: str, heads: dict[int, int], stored: int) -> Callable[[], bool]:
    wanted = {"one": heads[1], "odd": stored // 2}.get(name, stored)
    return lambda: len(follower.events) >= wanted
