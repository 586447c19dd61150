"""The programs of docs/client-recipes.md do what they say."""

import re
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest
from django.core.handlers.wsgi import WSGIHandler

from tests.client import ApiClient
from tests.conventions.commands import PROJECT, serving
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.run.instance import wait_for

pytestmark = pytest.mark.usefixtures("db_with_commits")

DOCUMENT = PROJECT / "docs" / "client-recipes.md"
_PROGRAM = re.compile(r"```python\n# (\w+)\.py\n(.*?)```", re.DOTALL)


class Unreliable:
    """EventFlow behind a proxy that loses answers: the request is carried out, its answer is not told."""

    def __init__(self):
        self.application = WSGIHandler()
        self.answers_to_lose = 0
        self.under_way = 0
        self._counting = threading.Lock()

    def __call__(self, environ, start_response):
        self._count(1)
        try:
            return self._answer(environ, start_response)
        finally:
            self._count(-1)

    def wait_until_idle(self) -> None:
        """Polls of programs that were killed wait on, and must not outlive their test."""
        wait_for("the last request to end", lambda: not self.under_way)

    def _count(self, change: int) -> None:
        with self._counting:
            self.under_way += change

    def _answer(self, environ, start_response):
        if not self.answers_to_lose:
            return self.application(environ, start_response)
        self.answers_to_lose -= 1
        self.application(environ, lambda *_: None).close()
        start_response("502 Bad Gateway", [("Content-Type", "text/html")])
        return [b"<html>upstream went away</html>"]


@pytest.fixture
def site(monkeypatch) -> Iterator[Unreliable]:
    site = Unreliable()
    with serving(site) as api:
        monkeypatch.setenv("EVENTFLOW_API", api)
        yield site


@pytest.fixture
def key(site, monkeypatch) -> str:
    owner = make_owner()
    make_group(make_stream("demo", owner=owner, partitions=2), "demo-readers")
    key = make_key(owner)
    monkeypatch.setenv("EVENTFLOW_KEY", key)
    return key


def program(name: str, monkeypatch: pytest.MonkeyPatch | None = None) -> ModuleType:
    """The program of that name, as it stands in the document."""
    source = dict(_PROGRAM.findall(DOCUMENT.read_text()))[name]
    module = ModuleType(name)
    if "from consumer import" in source:
        assert monkeypatch is not None
        monkeypatch.setitem(sys.modules, "consumer", program("consumer"))
    exec(compile(source, f"{DOCUMENT.name}:{name}", "exec"), module.__dict__)
    return module


def test_the_producer_stores_once_though_answers_are_lost(site, key):
    site.answers_to_lose = 2
    answer = program("producer").append([{"stream": "demo", "key": "a", "payload": n} for n in range(3)])
    assert site.answers_to_lose == 0
    assert answer["accepted"] == 3
    stored = ApiClient(key=key).get("/streams/demo/events").json()
    assert [event["payload"] for event in stored] == [0, 1, 2]


def test_the_producer_says_why_it_is_refused(site, key):
    with pytest.raises(ValueError, match="stream_not_found"):
        program("producer").append([{"stream": "nothing", "payload": 1}])


def test_the_producer_gives_up_in_the_end(site, key):
    site.answers_to_lose = 2
    with pytest.raises(TimeoutError):
        program("producer").append([{"stream": "demo", "payload": 1}], attempts=2)


def test_the_consumer_sees_every_event_and_commits(site, key):
    client = ApiClient(key=key)
    client.post("/events", [{"stream": "demo", "key": f"k{n}", "payload": n} for n in range(10)])
    seen: list[int] = []
    program("consumer").consume(
        "demo", "demo-readers", lambda event: seen.append(event["payload"]), lambda: len(seen) == 10
    )
    assert sorted(seen) == list(range(10))
    standing = client.get("/streams/demo/consumer-groups/demo-readers/offsets").json()["data"]
    assert [each["lag"] for each in standing] == [0, 0]


def test_the_consumer_sees_an_event_again_whose_work_failed(site, key):
    ApiClient(key=key).post("/events", {"stream": "demo", "payload": "x"})
    seen: list[str] = []

    def fail_once(event):
        seen.append(event["payload"])
        if len(seen) == 1:
            raise ConnectionError("the disk is full")

    program("consumer").consume("demo", "demo-readers", fail_once, lambda: len(seen) == 2)
    assert seen == ["x", "x"]


def test_the_worker_acks_what_went_well_and_the_rest_comes_again(site, key, monkeypatch):
    client = ApiClient(key=key)
    group = {"name": "workers", "mode": "lease", "backoff": [0], "max_failures": 3}
    assert client.post("/streams/demo/consumer-groups", group).status_code == 201
    client.post("/events", [{"stream": "demo", "key": "k", "payload": n} for n in range(5)])
    seen: list[int] = []

    def fail_on_three_once(event):
        seen.append(event["payload"])
        if event["payload"] == 3 and seen.count(3) == 1:
            raise LookupError("no such customer")

    program("worker", monkeypatch).work("demo", "workers", fail_on_three_once, lambda: len(seen) == 6)
    assert sorted(seen) == [0, 1, 2, 3, 3, 4]
    standing = client.get("/streams/demo/consumer-groups/workers/offsets").json()["data"]
    assert sum(each["lag"] for each in standing) == 0
    assert client.get("/dead-letters").json()["data"] == []
