"""The programs of docs/python-client.md and of the README do what they say."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from eventflow_client import EventFlow, NewEvent
from running import lag, stored, wait_for

from tests.factories import make_key, make_stream

pytestmark = pytest.mark.processes
PYTHON = Path(__file__).resolve().parents[1]
DOCUMENTS = [PYTHON.parents[1] / "docs" / "python-client.md", PYTHON / "README.md"]
_PROGRAM = re.compile(r"```python\n# (\w+)\.py\n(.*?)```", re.DOTALL)
PROGRAMS = {name: source for path in DOCUMENTS for name, source in _PROGRAM.findall(path.read_text())}


@pytest.fixture
def client(web, owner) -> Iterator[EventFlow]:
    """Of somebody who has the stream `demo`, which the programs name."""
    with EventFlow(web.url, key=make_key(owner)) as client:
        make_stream("demo", owner=owner)
        yield client
        client.streams.delete("demo", confirm="demo")


@contextmanager
def running(name: str, client: EventFlow, web) -> Iterator[subprocess.Popen]:
    """The program; it has to end by itself, or well when it is told to."""
    key = client._transport._client.headers["X-API-Key"]
    environment = {**os.environ, "PYTHONPATH": str(PYTHON / "src"), "EVENTFLOW_API": web.url, "EVENTFLOW_KEY": key}
    command = [sys.executable, "-u", "-c", PROGRAMS[name]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen, number: int | None = None) -> str:
    """What it printed, once it has ended well."""
    if number is not None:
        process.send_signal(number)
    told, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, "")
    return told


def test_every_program_is_looked_at_here():
    here = Path(__file__).read_text()
    assert [name for name in PROGRAMS if f'running("{name}"' not in here] == []


def test_first(client, web):
    with running("first", client, web) as program:
        assert program.stdout
        assert program.stdout.readline() == "stored at 1\n"
        assert program.stdout.readline() == "order.created {'order_id': 42}\n"
        ended(program, signal.SIGINT)
    assert lag(client, "demo", "mailer") == 0


def test_many(client, web):
    with running("many", client, web) as program:
        assert ended(program) == "the last one is at 10000\n"


def test_send(client, web):
    with running("send", client, web) as program:
        assert ended(program) == "0 1\n"
    assert [event["payload"] for event in stored(client, "demo")] == [{"order_id": 42}, {"n": 0}, {"n": 1}, {"n": 2}]


def test_produce(client, web):
    with running("produce", client, web) as program:
        assert ended(program) == ""
    assert len(stored(client, "demo")) == 1000


def test_work(client, web):
    client.send_many([NewEvent("demo", payload) for payload in ("a", "too early", "unreadable")])
    with running("work", client, web) as program:
        wait_for("the dead letter", lambda: list(client.dead_letters.list(stream="demo")))
        assert ended(program, signal.SIGTERM).count("\n") == 3
    (dead,) = client.dead_letters.list(stream="demo")
    assert dead.last_error == "nobody can read this"
    (later,) = client.groups.deliveries("demo", "workers")
    assert later.last_error == "the shop is closed"


def test_batches(client, web):
    # As the program makes it, so that it is there to be looked at.
    client.groups.create("demo", "archive", mode="lease")
    client.send_many([NewEvent("demo", payload) for payload in ({}, 1, {})])
    with running("batches", client, web) as program:
        wait_for(
            "the failure",
            lambda: [each.last_error for each in client.groups.deliveries("demo", "archive")] == ["not an order"],
        )
        assert ended(program, signal.SIGTERM).startswith("2 stored\n")


def test_read(client, web):
    client.send_many([NewEvent("demo", n, type="order.created" if n % 2 else "other") for n in range(6)])
    with running("read", client, web) as program:
        wait_for("all of it", lambda: lag_of_reports(client) == 0)
        assert ended(program, signal.SIGTERM) == "1\n3\n5\n"


def test_follow(client, web):
    client.send("demo", "there", type="order.created")
    client.send("demo", "something else")
    with running("follow", client, web) as program:
        assert program.stdout
        assert program.stdout.readline() == "1 there\n"
        client.send("demo", "enough", type="order.created")
        assert ended(program) == "3 enough\n"


def lag_of_reports(client: EventFlow) -> int | None:
    return next((group.lag for group in client.groups.list("demo") if group.name == "reports"), None)


def test_both(client, web, owner):
    make_stream("copies", owner=owner)
    with running("both", client, web) as program:
        wait_for("the copies", lambda: len(stored(client, "copies")) == 100)
        assert ended(program, signal.SIGTERM) == "the last one is at 100\n"


def test_rest(client, web):
    client.groups.create("demo", "reports")
    client.groups.create("demo", "workers", mode="lease", max_failures=1)
    client.send("demo", "x")
    path = "/streams/demo/consumer-groups/workers"
    (delivery,) = client.request("POST", f"{path}/lease", {})["deliveries"]
    names = {name: delivery[name] for name in ("delivery_id", "lease_token")}
    client.request("POST", f"{path}/nack", {"deliveries": [{**names, "error": "no such customer"}]})
    # No worker runs here; a lease moves what is exhausted.
    client.request("POST", f"{path}/lease", {})
    with running("rest", client, web) as program:
        told = ended(program)
    assert "demo 1\n0 1 x\n" in told
    assert "reports 1\n" in told
    assert "stream_not_found" in told
    assert [dead.status for dead in client.dead_letters.list(stream="demo")] == ["redriven"]
