"""Stopping under load: what was accepted is finished, who waits is answered, nothing answered 202 is lost."""

import http.client
import json
import signal
import threading
import time

import pytest

from streams.models import Partition
from tests.factories import make_key, make_owner, make_stream
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

WAIT_SECONDS = 25


class Load:
    """Clients that append until they are refused, and some that wait for what never comes."""

    def __init__(self, web: WebServer, key: str) -> None:
        self.web, self.headers = web, {"X-API-Key": key, "Content-Type": "application/json"}
        self.offsets: list[int] = []
        self.unknown: list[str] = []
        self.others: list[int] = []
        self.polls: list[object] = []
        self.threads = [threading.Thread(target=self._append) for _ in range(6)]
        self.threads += [threading.Thread(target=self._poll) for _ in range(4)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(WAIT_SECONDS + 20)

    def _connect(self) -> http.client.HTTPConnection:
        client = http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=WAIT_SECONDS + 15)
        client.connect()
        return client

    def _append(self) -> None:
        while True:
            try:
                client = self._connect()
            except OSError:
                return
            try:
                client.request("POST", "/api/v1/events", '{"stream":"orders","payload":1}', self.headers)
                answer = client.getresponse()
                body = json.loads(answer.read())
                (self.offsets.append(body["offset"]) if answer.status == 202 else self.others.append(answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.unknown.append(type(error).__name__)
            finally:
                client.close()

    def _poll(self) -> None:
        client = self._connect()
        try:
            path = f"/api/v1/streams/quiet/events?last_offset=0&wait={WAIT_SECONDS}"
            client.request("GET", path, headers=self.headers)
            answer = client.getresponse()
            self.polls.append((answer.status, answer.read()))
        except (OSError, http.client.HTTPException) as error:
            self.polls.append(type(error).__name__)
        finally:
            client.close()


def test_a_stop_under_load_drops_nothing_that_was_accepted():
    owner = make_owner()
    make_stream("orders", owner=owner)
    make_stream("quiet", owner=owner)
    key = make_key(owner)
    with WebServer(workers=2) as web:
        load = Load(web, key)
        load.start()
        deadline = time.monotonic() + 30
        while len(load.offsets) < 300 and time.monotonic() < deadline:
            time.sleep(0.05)
        started = time.monotonic()
        web.process.send_signal(signal.SIGTERM)
        web.process.wait(30)
        took = time.monotonic() - started
        load.join()

    head = Partition.objects.get(stream__name="orders").head_offset
    assert len(load.offsets) >= 300, "there was load"
    assert took < 10
    assert load.polls == [(200, b"[]")] * 4, "who waited was sent home with what there was"
    assert load.others == []
    assert sorted(load.offsets) == sorted(set(load.offsets))
    assert max(load.offsets) <= head
    # A connection that the kernel took and the server no longer did is reset: at most one for each client.
    assert len(load.unknown) <= 6
    assert len(load.offsets) <= head <= len(load.offsets) + len(load.unknown)
