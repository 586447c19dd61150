"""An upgrade as docs/upgrading.md says it: two web servers behind the real nginx, one restarted after the other."""

import http.client
import json
import threading
import time

import pytest

from streams.models import Partition
from tests.factories import make_key, make_owner, make_stream
from tests.nginx import nginx_before
from tests.run.instance import wait_for
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

CLIENTS = 4


def test_appends_go_on_while_one_server_restarts_after_the_other(tmp_path):
    owner = make_owner()
    make_stream("orders", owner=owner)
    headers = {"X-API-Key": make_key(owner), "Content-Type": "application/json"}
    first, second = WebServer(EVENTFLOW_TRUSTED_PROXIES="1"), WebServer(EVENTFLOW_TRUSTED_PROXIES="1")
    stored: list[int] = []
    others: list[object] = []
    done = threading.Event()

    def append(number: int, port: int) -> None:
        attempt = 0
        while not done.is_set():
            attempt += 1
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                key = {"Idempotency-Key": f"{number}-{attempt}"}
                client.request("POST", "/api/v1/events", '{"stream":"orders","payload":1}', headers | key)
                answer = client.getresponse()
                body = answer.read()
                (stored.append(json.loads(body)["offset"]) if answer.status == 202 else others.append(answer.status))
            except (OSError, http.client.HTTPException) as error:
                others.append(type(error).__name__)
            finally:
                client.close()

    def more_is_stored() -> None:
        enough = len(stored) + 100
        wait_for("load", lambda: len(stored) > enough)

    with first, second, nginx_before(tmp_path, (first, second)) as port:
        threads = [threading.Thread(target=append, args=(number, port)) for number in range(CLIENTS)]
        try:
            for thread in threads:
                thread.start()
            for server in (first, second):
                more_is_stored()
                server.process.terminate()
                server.process.wait(30)
                time.sleep(0.5)
                server.process = server.child.start()
                wait_for("the server again", server.answers)
            more_is_stored()
        finally:
            done.set()
            for thread in threads:
                thread.join(40)

    assert len(stored) > 300
    # A POST that met its kept-alive connection closing is not sent twice: 502, at most once a client and restart.
    assert set(others) <= {502}
    assert len(others) <= 2 * CLIENTS
    head = Partition.objects.get(stream__name="orders").head_offset
    assert len(set(stored)) == len(stored) <= head <= len(stored) + len(others)
