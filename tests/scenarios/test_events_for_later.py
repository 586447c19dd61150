"""Events for later, over HTTP to real servers of which one is killed: what is due comes, what has expired does not."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from consumers.models import GroupOffset
from tests.factories import make_key, make_owner, make_stream
from tests.run.instance import wait_for
from tests.scenarios.http import Server
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

GROUP = "/streams/orders/consumer-groups/mailer"


@pytest.fixture
def key() -> str:
    owner = make_owner()
    make_stream("orders", owner=owner)
    return make_key(owner)


@pytest.fixture
def webs() -> Iterator[tuple[WebServer, WebServer]]:
    with WebServer() as one, WebServer() as other:
        yield one, other


def kill(web: WebServer) -> None:
    """The server and its workers, in the middle of whatever they do."""
    for pid in (*web.worker_pids(), web.process.pid):
        os.kill(pid, signal.SIGKILL)


def database_time() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def lease(server: Server, **body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.ok("POST", f"{GROUP}/lease", body)["deliveries"]
    return found


def numbers(deliveries: list[dict[str, Any]]) -> list[int]:
    return [event["payload"] for delivery in deliveries for event in delivery["events"]]


def ack(server: Server, deliveries: list[dict[str, Any]]) -> None:
    held = [{name: each[name] for name in ("delivery_id", "lease_token")} for each in deliveries]
    assert {each["result"] for each in server.ok("POST", f"{GROUP}/ack", {"deliveries": held})["data"]} == {"acked"}


@pytest.mark.parametrize("ordering", ["none", "partition"])
def test_it_survives_the_death_of_the_server_that_scheduled_it(webs, key, ordering):
    doomed, other = (Server(web.port, X_API_Key=key) for web in webs)
    doomed.ok(
        "POST",
        "/streams/orders/consumer-groups",
        {"name": "mailer", "mode": "lease", "ordering": ordering, "ack_wait": 2},
    )
    events = [
        {"payload": 1},
        {"payload": 2, "deliver_after": 3},
        {"payload": 3, "deliver_after": 0.5, "expires_after": 0.6},
        {"payload": 4},
        {"payload": 5, "deliver_after": 600, "expires_after": 3_600},
    ]
    places = doomed.ok("POST", "/streams/orders/events", events)["events"]
    due_at = datetime.fromisoformat(places[1]["recorded_at"]) + timedelta(seconds=3)

    # It takes the first, sorts what is for later, and dies before anybody hears of it again.
    taken = lease(doomed)
    assert numbers(taken)[0] == 1
    kill(webs[0])
    # The third may be handed out until then.
    expired_at = datetime.fromisoformat(places[2]["recorded_at"]) + timedelta(seconds=0.6)
    wait_for("the third to expire", lambda: database_time() > expired_at)

    done: list[int] = []
    deadline = time.monotonic() + 60
    while sorted(done) != [1, 2, 4]:
        assert time.monotonic() < deadline, done
        found = lease(other, wait=10)
        if 2 in numbers(found):
            (second,) = [each for each in found if 2 in numbers([each])]
            leased_at = datetime.fromisoformat(second["expires_at"]) - timedelta(seconds=2)
            assert leased_at >= due_at
        assert not {3, 5} & set(numbers(found))
        done += numbers(found)
        ack(other, found)
    if ordering == "partition":
        assert done == [1, 2, 4]
    (told,) = other.ok("GET", "/streams/orders/stats")["consumer_groups"]
    assert (told["expired_total"], told["dead_letters"]) == (1, 0)
    wait_for("what is left to be seen as scheduled", lambda: lease(other) == [])
    (left,) = other.ok("GET", f"{GROUP}/deliveries")["data"]
    assert (left["first_offset"], left["state"]) == (5, "scheduled")
    assert GroupOffset.objects.get().committed_offset == 4
