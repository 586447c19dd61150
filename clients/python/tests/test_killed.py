"""`kill -9` of the server and of the client in the middle of their work: nothing is lost, nothing is doubled."""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eventflow_client import ConsumerSettings, Event, EventFlow, NewEvent, ProducerSettings, Retries
from running import lag, running, stored, wait_for

from eventflow_site.embedded.process import kill_group
from tests.factories import make_stream
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.slow("kills servers and programs, and starts them again")]
HERE = Path(__file__).resolve().parent
KILLS = 3


@pytest.fixture(scope="module")
def web(db_with_commits_for_all) -> Iterator[WebServer]:
    """One that may be killed."""
    with WebServer() as web:
        yield web


def kill_and_start(web: WebServer) -> None:
    kill_group(web.process)
    web.process.wait()
    time.sleep(0.3)
    web.process = web.child.start()
    wait_for("the server, again", web.answers)


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen]:
    """A program of `killed_programs.py`, killed in the end."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
    command = [sys.executable, str(HERE / "killed_programs.py"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_kill_9_of_the_server_under_load_loses_and_doubles_nothing(web, owner, key):
    stream = make_stream(owner=owner, partitions=2).name
    patient = Retries(attempt_seconds=5, total_seconds=120, longest_pause_seconds=0.5)
    seen: Counter[int] = Counter()
    with EventFlow(web.url, key=key, retries=patient) as client:
        settings = {"name": "workers", "mode": "lease", "ack_wait": 10, "backoff": [0], "max_failures": 50}
        client.request("POST", f"/streams/{stream}/consumer-groups", settings)
        stop = threading.Event()
        pending = []

        def produce() -> None:
            with client.producer(ProducerSettings(batch_events=50, lanes=2, close_seconds=120)) as producer:
                while not stop.is_set():
                    number = len(pending)
                    pending.append(producer.enqueue(stream, number, key=f"k{number % 7}"))
                    time.sleep(0.0005)

        def handle(event: Event) -> None:
            seen[event.payload] += 1

        consumer = client.consumer(
            stream, "workers", handle, settings=ConsumerSettings(wait_seconds=0.5, concurrency=2, max_events=50)
        )
        thread = threading.Thread(target=produce)
        with running(consumer):
            thread.start()
            for _ in range(KILLS):
                before = len(seen)
                wait_for("some work", lambda before=before: len(seen) > before + 100, 60)
                kill_and_start(web)
            stop.set()
            thread.join(150)
            assert not thread.is_alive()
            wait_for("everything to be acked", lambda: lag(client, stream, "workers") == 0, 60)
        assert [each.exception(timeout=0) for each in pending] == [None] * len(pending)
        of_key = defaultdict(list)
        for event in stored(client, stream):
            of_key[event["key"]].append(event["payload"])
        assert of_key == {f"k{k}": list(range(k, len(pending), 7)) for k in range(7)}
        assert set(seen) == set(range(len(pending)))
        assert client.request("GET", "/dead-letters", stream=stream)["data"] == []


def test_kill_9_of_a_producer_loses_nothing_that_it_was_told_and_doubles_nothing(web, owner, key):
    with EventFlow(web.url, key=key) as client:
        for _ in range(KILLS):
            stream = make_stream(owner=owner).name
            with program("produce", web.url, key, stream) as producer:
                assert producer.stdout
                told = [int(producer.stdout.readline()) for _ in range(random.randrange(200, 600))]
                producer.kill()
                told += [int(line) for line in producer.stdout.read().splitlines() if line]
            found = [event["payload"] for event in stored(client, stream)]
            assert told == list(range(len(told)))
            # It may have been told less than it has stored, and what it had not sent never came.
            assert found == list(range(len(found)))
            assert len(found) >= len(told)


def test_kill_9_of_a_consumer_loses_nothing_and_what_it_makes_is_made_once(web, owner, key):
    stream, target = make_stream(owner=owner, partitions=2).name, make_stream(owner=owner).name
    with EventFlow(web.url, key=key) as client:
        settings = {"name": "copiers", "mode": "lease", "ack_wait": 1, "backoff": [0], "max_failures": 100}
        client.request("POST", f"/streams/{stream}/consumer-groups", settings | {"max_deliveries": 1000})
        client.send_many([NewEvent(stream, n, key=f"k{n % 5}") for n in range(300)])
        for _ in range(KILLS):
            with program("pipe", web.url, key, stream, "copiers", target) as copier:
                assert copier.stdout
                for _ in range(random.randrange(10, 60)):
                    copier.stdout.readline()
        with program("pipe", web.url, key, stream, "copiers", target):
            wait_for("the rest to be copied", lambda: lag(client, stream, "copiers") == 0, 90)
        copies = Counter(event["payload"] for event in stored(client, target))
        assert copies == dict.fromkeys(range(300), 1)
        assert client.request("GET", "/dead-letters", stream=stream)["data"] == []


def test_a_program_that_ends_sends_what_it_has_left(web, key, orders):
    words = f"""
from eventflow_client import EventFlow, ProducerSettings
producer = EventFlow({web.url!r}, key={key!r}).producer(ProducerSettings(linger_seconds=60))
for number in range(10):
    producer.enqueue({orders!r}, number)
"""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
    subprocess.run([sys.executable, "-c", words], check=True, env=environment, timeout=60)
    with EventFlow(web.url, key=key) as client:
        assert [event["payload"] for event in stored(client, orders)] == list(range(10))
