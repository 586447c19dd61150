"""Consumers and servers are stopped, politely or not, while they hold or wait: how the group goes on, over HTTP."""

import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consumers.models import Delivery
from streams.models import Stream
from tests.consumers.leases import dead, let_expire, make_lease_group, produce
from tests.factories import make_key, make_owner, make_stream
from tests.run.instance import wait_for
from tests.scenarios.http import Server
from tests.streams.log.appending import process_environment
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

HELD = 200
PATH = "/streams/orders/consumer-groups/mailer"


@pytest.fixture
def key() -> str:
    owner = make_owner()
    make_stream("orders", owner=owner, partitions=2)
    return make_key(owner)


@pytest.fixture
def group(key):
    """Two failures are allowed: then a single event has one more attempt after a crash."""
    stream = Stream.objects.get(name="orders")
    group = make_lease_group(stream=stream, name="mailer", max_failures=2)
    for partition in range(2):
        produce(group, HELD // 2, partition=partition)
    return group


@contextmanager
def holder(web: WebServer, key: str) -> Iterator[subprocess.Popen[str]]:
    arguments = [str(web.port), key, PATH, str(HELD)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.scenarios.holder", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=process_environment(),
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"holds {HELD}\n"
            yield process
        finally:
            process.kill()


def lease_and_ack(server: Server) -> dict:
    answer = server.ok("POST", f"{PATH}/lease", {"max_events": 100})
    held = [{name: each[name] for name in ("delivery_id", "lease_token")} for each in answer["deliveries"]]
    if held:
        server.ok("POST", f"{PATH}/ack", {"deliveries": held})
    return answer


def count_waiting(web: WebServer) -> int:
    with urllib.request.urlopen(f"{web.url}/metrics") as answer:
        (count,) = re.findall(r"^eventflow_waiting_polls (.+)$", answer.read().decode(), re.MULTILINE)
    return int(float(count))


def is_new(delivery: dict) -> bool:
    return bool(delivery["first_offset"] > HELD // 2)


def test_what_a_killed_consumer_held_is_done_within_a_dozen_answers_that_bring_new_events_too(key, group):
    with WebServer(workers=2) as web:
        with holder(web, key) as consumer:
            consumer.send_signal(signal.SIGKILL)
        let_expire(group)
        for partition in range(2):
            produce(group, 2_000, partition=partition)
        server = Server(web.port, X_API_Key=key)

        answers = []
        while not answers or answers[-1]["isolating"]:
            answers.append(lease_and_ack(server))
            stats = server.ok("GET", f"{PATH}/stats")

    # The last one tells that nothing is left.
    recovering = answers[:-1]
    again = [each for answer in recovering for each in answer["deliveries"] if not is_new(each)]
    assert len(recovering) <= 12
    assert sum(len(each["events"]) for each in again) == HELD
    assert all(sum(len(each["events"]) for each in answer["deliveries"]) == 100 for answer in recovering)
    assert all(any(map(is_new, answer["deliveries"])) for answer in recovering)
    assert [answer["suspected"] for answer in answers][:: len(answers) - 1] == [HELD, 0]
    assert (stats["isolating"], stats["suspected"], dead(group)) == (False, 0, [])


def test_a_consumer_that_is_asked_to_stop_gives_back_what_it_held_and_nothing_is_under_suspicion(key, group):
    with WebServer() as web:
        with holder(web, key) as consumer:
            consumer.send_signal(signal.SIGTERM)
            assert consumer.wait(20) == 128 + signal.SIGTERM

        answer = Server(web.port, X_API_Key=key).ok("POST", f"{PATH}/lease", {"max_events": HELD})

    assert (answer["isolating"], answer["suspected"]) == (False, 0)
    assert [(each["first_offset"], each["last_offset"]) for each in answer["deliveries"]] == [(1, HELD // 2)] * 2


def test_a_server_that_stops_takes_nothing_for_those_who_wait_and_leaves_what_is_held_to_its_holder(key, group):
    waiting: list[tuple[int, dict]] = []

    def wait_for_events(port: int) -> None:
        waiting.append(Server(port, X_API_Key=key).call("POST", f"{PATH}/lease", {"max_events": 100, "wait": 25}))

    with WebServer() as web:
        server = Server(web.port, X_API_Key=key)
        held = server.ok("POST", f"{PATH}/lease", {"max_events": HELD})["deliveries"]
        threads = [threading.Thread(target=wait_for_events, args=[web.port]) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_for("four who wait", lambda: count_waiting(web) == 4)
        web.process.send_signal(signal.SIGTERM)
        web.process.wait(30)
        for thread in threads:
            thread.join(40)
    nothing = {"deliveries": [], "gaps": [], "isolating": False, "suspected": 0}
    assert waiting == [(200, nothing)] * 4
    assert Delivery.objects.count() == len(held) == 2

    with WebServer() as web:
        server = Server(web.port, X_API_Key=key)
        leases = [{name: each[name] for name in ("delivery_id", "lease_token")} for each in held]
        assert [each["result"] for each in server.ok("POST", f"{PATH}/ack", {"deliveries": leases})["data"]] == [
            "acked"
        ] * 2
        assert server.ok("GET", f"{PATH}/stats")["suspected"] == 0
