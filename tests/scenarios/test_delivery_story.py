"""The whole story over HTTP, with real processes: 1,000 events, three consumers, one of which crashes and all of which fail
on every twentieth event; retries, dead letters, redrive with an edited payload; in the end each event is acked or
discarded, none is lost, and none comes again after its ack."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.run.conftest import new_home, prepared_home
from tests.run.instance import Instance, wait_for
from tests.scenarios.http import Server

pytestmark = pytest.mark.processes

EVENTS = 1_000
BROKEN = [n for n in range(1, EVENTS + 1) if n % 20 == 0]
PATH = "/streams/orders/consumer-groups/shipping"


@pytest.fixture(scope="module")
def server():
    instance = Instance(prepared_home(), WEB_WORKERS="2")
    try:
        instance.wait_until_greeted()
        words = instance.terminal.split()
        admin = {name: words[words.index(name) + 1] for name in ("E-mail", "Password")}
        signed_in = Server(instance.port).ok(
            "POST", "/auth/login", {"email": admin["E-mail"], "password": admin["Password"]}
        )
        person = Server(instance.port, Authorization=f"Bearer {signed_in['access']}")
        person.ok("POST", "/streams", {"name": "orders", "partitions": 3})
        settings = {"name": "shipping", "mode": "lease", "ack_wait": 2, "backoff": [1], "max_failures": 3}
        person.ok("POST", "/streams/orders/consumer-groups", settings)
        key = person.ok("POST", "/api-keys", {"name": "shipping", "scopes": ["produce", "consume"]})["secret"]
        yield instance.port, key
    finally:
        if instance.process.poll() is None:
            instance.process.send_signal(signal.SIGTERM)
            instance.process.wait(30)


class Consumers:
    """Three programs; what all of them said, however they ended."""

    def __init__(self, port: int, key: str) -> None:
        self.arguments = [str(port), key, PATH]
        self.processes: list[subprocess.Popen[str]] = []
        self.paths: list = []

    def start(self, name: str) -> "subprocess.Popen[str]":
        path = new_home().with_suffix(".said")
        self.paths.append(path)
        with path.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.scenarios.consumer", *self.arguments, name], stdout=out, text=True
            )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def facts(self) -> list[tuple[float, str, int]]:
        """When, what, which event; half a line of one that was killed does not count."""
        found = []
        for path in self.paths:
            for line in path.read_text().split("\n")[:-1]:
                what, when, *numbers = line.split()
                found += [(float(when), what, int(number)) for number in numbers]
        return sorted(found)


def test_every_event_is_acked_or_discarded_and_none_comes_again(server):
    port, key = server
    api = Server(port, X_API_Key=key)
    for first in range(1, EVENTS, 100):
        events = [{"stream": "orders", "key": f"k{n}", "payload": {"n": n}} for n in range(first, first + 100)]
        assert api.ok("POST", "/events", events)["accepted"] == 100

    consumers = Consumers(port, key)
    try:
        crashing = consumers.start("crashing")
        wait_for("the first lease", lambda: any(what == "leased" for _, what, _ in consumers.facts()))
        os.kill(crashing.pid, signal.SIGKILL)
        for name in ("second", "third", "fourth"):
            consumers.start(name)
        wait_for(
            "the dead letters",
            lambda: len(api.ok("GET", "/dead-letters?status=open&limit=250")["data"]) == len(BROKEN),
            seconds=120,
        )
        letters = api.ok("GET", "/dead-letters?stream=orders&group=shipping&limit=250")["data"]
        assert {each["reason"] for each in letters} == {"max_failures"}
        assert all(each["failure_count"] == 3 for each in letters)
        numbers = {}
        for letter in letters:
            whole = api.ok("GET", f"/dead-letters/{letter['id']}")
            numbers[letter["id"]] = whole["event"]["payload"]["n"]
            assert len(whole["attempts"]) == 3
        assert sorted(numbers.values()) == BROKEN

        fixed = sorted(numbers)[::2]
        for letter_id in fixed:
            body = {"payload": {"n": numbers[letter_id], "fixed": True}, "note": "repaired"}
            answers = [api.call("POST", f"/dead-letters/{letter_id}/redrive", body)[0] for _ in range(2)]
            assert answers == [202, 409]
        preview = api.ok("POST", "/dead-letters/discard", {"filter": {"group": "shipping"}, "dry_run": True})
        assert preview["count"] == len(BROKEN) - len(fixed)
        discarded = api.ok("POST", "/dead-letters/discard", {"filter": {"group": "shipping"}})
        assert discarded["done_count"] == preview["count"]
        wait_for(
            "the redriven events",
            lambda: len(api.ok("GET", "/dead-letters?status=resolved&limit=250")["data"]) == len(fixed),
        )
        wait_for(
            "a lag of zero",
            lambda: all(each["lag"] == 0 for each in api.ok("GET", f"{PATH}/offsets")["data"]),
        )
        # What was acked does not come again: not after the ack wait, not after any backoff.
        time.sleep(3)
    finally:
        consumers.stop()

    facts = consumers.facts()
    acked = Counter(number for _, what, number in facts if what == "acked")
    given_up = {numbers[letter_id] for letter_id in numbers if letter_id not in fixed}
    assert set(acked) == set(range(1, EVENTS + 1)) - given_up
    assert set(acked.values()) == {1}
    last_ack = {number: when for when, what, number in facts if what == "acked"}
    assert [number for when, what, number in facts if what == "leased" and when > last_ack.get(number, when)] == []
    assert api.ok("GET", f"{PATH}/deliveries")["data"] == []
    place = next(each for each in letters if each["id"] == fixed[0])
    (told,) = api.ok("GET", f"/streams/orders/events/{place['partition']}/{place['offset']}/timeline")["groups"]
    assert told["state"] == "resolved"
    assert [each["outcome"] for each in told["history"]][-1] == "acked"
