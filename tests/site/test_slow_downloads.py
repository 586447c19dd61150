"""A file is made while it is sent: for whoever does not take it none is made, nor kept, and each caller has so many."""

import asyncio
import socket
import sys
import urllib.request
from typing import Any, cast

import pytest
from django.test import Client, RequestFactory

from accounts.http import downloads
from accounts.http.downloads import Download
from accounts.limits.places import Places
from eventflow_site.front.django_lane import DjangoLane
from observability.dashboard.pages import events_file
from tests.browser.story import append
from tests.factories import make_owner, make_stream
from tests.run.instance import wait_for
from tests.web_server import WebServer

pytestmark = pytest.mark.usefixtures("db_with_commits")

FILE = "/streams/orders/events/file"
EVENTS, EVENT_BYTES = 40, 900_000


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def browser(owner) -> Client:
    client = Client()
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    return client


def dropped(web: WebServer) -> float:
    with urllib.request.urlopen(f"{web.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("eventflow_live_streams_dropped_total"))


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_file_that_nobody_takes_is_cut_and_does_not_look_whole(owner, browser):
    stream = make_stream("orders", owner=owner)
    for number in range(EVENTS):
        append(stream, {"payload": f"{number}" * (EVENT_BYTES // len(f"{number}"))})
    with WebServer(EVENTFLOW_READER_SECONDS="1") as web, web.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        cookie = browser.cookies["sessionid"].value
        client.sendall(f"GET {FILE} HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid={cookie}\r\n\r\n".encode())
        received = client.recv(1024)
        assert received.startswith(b"HTTP/1.1 200"), received
        wait_for("somebody to hang up", lambda: dropped(web))
        # What the kernel has is still sent, in steps of this.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        while piece := client.recv(1024 * 1024):
            received += piece
    # Far from all of it, as what the kernel keeps is not much; and without the last chunk.
    assert len(received) < EVENTS * EVENT_BYTES / 2
    assert not received.endswith(b"0\r\n\r\n")


def test_who_has_their_share_of_files_under_way_gets_the_next_when_one_has_ended(owner, browser, monkeypatch):
    make_stream("orders", owner=owner)
    monkeypatch.setattr(downloads, "_places", Places("downloads", 1, downloads.refuse))
    first = browser.get(FILE)
    assert first.status_code == 200
    second = browser.get(FILE)
    assert second.status_code == 429
    assert "The limit of downloads for this owner is reached" in second.content.decode()
    # When it has been read to its end, or given up.
    first.close()
    assert browser.get(FILE).status_code == 200


def test_a_file_that_nobody_began_to_read_gives_its_place_back(owner, monkeypatch):
    monkeypatch.setattr(downloads, "_places", Places("downloads", 1, downloads.refuse))
    caller = owner.as_caller()

    def handler(_environ, start_response):
        response = Download([b"never", b"read"], caller=caller, name="f.csv", content_type="text/csv")
        start_response("200 OK", list(response.items()))
        return response

    async def ask() -> None:
        # The client hangs up before the first piece was asked for.
        answer = await DjangoLane(cast("Any", handler), threads=1).answer(RequestFactory().get(FILE).environ)
        answer.close()

    asyncio.run(ask())
    asyncio.run(ask())


def test_of_large_events_few_are_read_at_a_time(owner, browser, monkeypatch):
    monkeypatch.setattr(events_file, "FIRST_EVENTS", 2)
    monkeypatch.setattr(events_file, "PIECE_BYTES", 10_000)
    append(make_stream("orders", owner=owner), *[{"payload": "x" * 2_000}] * 30)
    pieces = list(browser.get(FILE).streaming_content)
    assert sum(piece.count(b"\n") for piece in pieces) == 30
    assert max(map(len, pieces)) <= 10_000
