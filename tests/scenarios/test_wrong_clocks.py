"""Two servers whose clocks are six hours ahead and six hours behind: leases go by the database's clock alone."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import ApiKey, User
from consumers.models import ConsumerGroup, Delivery
from tests.consumers import processes
from tests.consumers.leases import dead, lease_one, make_lease_group, nack, produce, states
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.run.instance import wait_for
from tests.scenarios.http import Server
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

HOURS = 6
SKEWS = {"ahead": HOURS * 3600, "behind": -HOURS * 3600}
# Whoever takes, and whoever asks for it next: what one has reckoned by its clock the other would judge by its own.
PAIRS = [("ahead", "behind"), ("behind", "ahead")]
# How much later than it may something comes: the promise is two seconds, and a busy machine needs a moment more.
LATE_SECONDS = 4.0


def wrong_clock(skew: str) -> dict[str, Any]:
    return {"SKEW_SECONDS": str(SKEWS[skew]), "PYTHONPATH": str(Path(__file__).parent.parent / "skewed_clock")}


@pytest.fixture(scope="module")
def webs(django_db_setup: None) -> Iterator[Mapping[str, WebServer]]:
    with WebServer(**wrong_clock("ahead")) as ahead, WebServer(**wrong_clock("behind")) as behind:
        yield {"ahead": ahead, "behind": behind}


@pytest.fixture
def owner() -> User:
    return make_owner()


@pytest.fixture
def group(owner: User) -> ConsumerGroup:
    # Named anew each time: the servers remember what is gone for a moment.
    return make_group(make_stream(owner=owner), mode="lease", backoff_seconds=(3,))


class GroupAt:
    """A group as one of the servers has it."""

    def __init__(self, server: Server, group: ConsumerGroup) -> None:
        self.server = server
        self._path = f"/streams/{group.stream.name}/consumer-groups/{group.name}"

    def lease(self, **body: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.post("lease", body)["deliveries"]
        return found

    def post(self, verb: str, body: Any) -> Any:
        return self.server.ok("POST", f"{self._path}/{verb}", body)

    def get(self, what: str) -> Any:
        return self.server.ok("GET", f"{self._path}/{what}")["data"]

    def is_lost(self, delivery: dict[str, Any]) -> bool:
        status, answer = self.server.call("POST", f"{self._path}/ack", held(delivery))
        return (status, answer["code"]) == (409, "lease_lost")


@pytest.fixture
def servers(webs: Mapping[str, WebServer], owner: User, group: ConsumerGroup) -> Mapping[str, GroupAt]:
    key = make_key(owner)
    return {skew: GroupAt(Server(web.port, X_API_Key=key), group) for skew, web in webs.items()}


def now() -> datetime:
    """What the database's clock says."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def held(delivery: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"deliveries": [{name: delivery[name] for name in ("delivery_id", "lease_token")} | more]}


def assert_comes_at(moment: datetime, servers: Mapping[str, GroupAt], asks: str, **expected: int) -> dict[str, Any]:
    """Nobody gets it before that moment, and whoever waits gets it soon after."""
    early = [delivery for server in servers.values() for delivery in server.lease()]
    assert now() < moment, "the machine was too slow to see anything"
    assert early == []
    (delivery,) = servers[asks].lease(wait=20)
    assert 0 <= (now() - moment).total_seconds() < LATE_SECONDS
    assert {name: delivery[name] for name in expected} == expected
    return delivery


def test_the_clocks_of_the_servers_are_wrong(servers):
    for skew, at in servers.items():
        ApiKey.objects.update(last_used_at=None)
        # Written by the server itself, when it looks the key up anew.
        wait_for("the key to be seen", lambda at=at: at.server.ok("GET", "/auth/me") and used_at())
        assert (used_at() - timezone.now()).total_seconds() == pytest.approx(SKEWS[skew], abs=60)


def used_at() -> Any:
    return ApiKey.objects.get().last_used_at


@pytest.mark.parametrize(("takes", "asks"), PAIRS)
def test_a_lease_lasts_for_its_ack_wait_and_its_events_come_after_their_backoff(servers, group, takes, asks):
    produce(group, 1)
    before = now()
    (delivery,) = servers[takes].lease(ack_wait=2)
    expires_at = datetime.fromisoformat(delivery["expires_at"])
    assert 2 <= (expires_at - before).total_seconds() < 2 + LATE_SECONDS

    wait_for("the end of the ack wait", lambda: servers[asks].lease() or Delivery.objects.filter(state="waiting"))
    assert now() >= expires_at
    (waiting,) = servers[takes].get("deliveries")
    available_at = datetime.fromisoformat(waiting["available_at"])
    assert 0.8 * 3 <= (available_at - expires_at).total_seconds() < 1.2 * 3 + LATE_SECONDS

    assert_comes_at(available_at, servers, asks, first_offset=1, delivery_count=2, failure_count=1)
    assert servers[takes].is_lost(delivery)


@pytest.mark.parametrize(("takes", "asks"), PAIRS)
@pytest.mark.parametrize("delay", [None, 3])
def test_what_failed_waits_for_its_backoff_or_for_the_delay_that_was_named(servers, group, takes, asks, delay):
    produce(group, 1)
    (delivery,) = servers[takes].lease()
    before = now()
    servers[takes].post("nack", held(delivery, **({} if delay is None else {"delay": delay})))
    after = now()

    (waiting,) = servers[asks].get("deliveries")
    available_at = datetime.fromisoformat(waiting["available_at"])
    shortest, longest = (0.8 * 3, 1.2 * 3) if delay is None else (delay, delay)
    assert (available_at - before).total_seconds() >= shortest
    assert (available_at - after).total_seconds() <= longest
    assert_comes_at(available_at, servers, asks, first_offset=1, delivery_count=2, failure_count=1)


@pytest.mark.parametrize(("takes", "asks"), PAIRS)
def test_a_lease_that_another_server_extends_lasts_as_long_as_that_says(servers, group, takes, asks):
    ConsumerGroup.objects.update(backoff_seconds=[0])
    produce(group, 1)
    (delivery,) = servers[takes].lease(ack_wait=2)
    before = now()
    (extended,) = servers[asks].post("extend", held(delivery) | {"ack_wait": 4})["data"]

    expires_at = datetime.fromisoformat(extended["expires_at"])
    assert 4 <= (expires_at - before).total_seconds() < 4 + LATE_SECONDS
    assert_comes_at(expires_at, servers, asks, delivery_count=2, failure_count=1)


@pytest.mark.parametrize(("takes", "asks"), PAIRS)
def test_within_its_ack_wait_a_lease_is_acked_wherever_it_was_taken(servers, group, takes, asks):
    produce(group, 1)
    (delivery,) = servers[takes].lease()
    assert servers[asks].lease() == []
    assert servers[asks].post("ack", held(delivery))["data"][0]["result"] == "acked"
    assert servers[takes].get("offsets")[0]["committed_offset"] == 1


@pytest.mark.parametrize("skew", SKEWS)
def test_what_a_worker_with_a_wrong_clock_takes_back_has_expired(skew):
    group = make_lease_group(backoff_seconds=(3600,))
    produce(group, 4)
    expired, _held, hopeless, failed = (lease_one(group, 1, ack_wait_seconds=600) for _ in range(4))
    Delivery.objects.filter(pk=expired.id).update(lease_expires_at=now())
    nack(group, hopeless, is_terminal=True)
    nack(group, failed)

    mover = processes.start("move", group.pk, environment=wrong_clock(skew))
    try:
        expected = [(1, 1, "waiting"), (2, 2, "leased"), (4, 4, "waiting")]
        wait_for("what it has to do", lambda: (dead(group), states(group)) == ([(3, "terminal")], expected))
        # It goes on looking, and finds nothing more.
        time.sleep(1)
        assert mover.poll() is None
    finally:
        mover.kill()
        mover.communicate()
    assert states(group) == expected


def test_events_are_recorded_by_the_databases_clock_in_the_order_of_their_offsets(servers, group):
    before = now()
    recorded = [
        datetime.fromisoformat(
            servers[skew].server.ok("POST", "/events", {"stream": group.stream.name, "payload": 1})["recorded_at"]
        )
        for skew in ("ahead", "behind", "ahead", "behind")
    ]
    assert before <= recorded[0] <= recorded[1] <= recorded[2] <= recorded[3] <= now()


def append_to(server: GroupAt, group: ConsumerGroup, **event: Any) -> dict[str, Any]:
    return server.server.ok("POST", "/events", {"stream": group.stream.name, "payload": 1, **event})


@pytest.mark.parametrize(("takes", "asks"), PAIRS)
def test_an_event_for_later_comes_so_many_seconds_after_it_was_recorded(servers, group, takes, asks):
    place = append_to(servers[takes], group, deliver_after=3)
    due_at = datetime.fromisoformat(place["recorded_at"]) + timedelta(seconds=3)
    assert_comes_at(due_at, servers, asks, first_offset=1, delivery_count=1)


@pytest.mark.parametrize(("takes", "asks"), PAIRS)
def test_an_event_for_a_time_comes_at_that_time(servers, group, takes, asks):
    due_at = now() + timedelta(seconds=3)
    append_to(servers[takes], group, deliver_after=due_at.isoformat())
    assert_comes_at(due_at, servers, asks, first_offset=1, delivery_count=1)


@pytest.mark.parametrize(("takes", "asks"), PAIRS)
def test_an_event_expires_so_many_seconds_after_it_was_recorded(servers, group, takes, asks):
    append_to(servers[takes], group, expires_after=HOURS * 1_800)
    append_to(servers[asks], group, expires_after=0.001)
    (delivery,) = servers[asks].lease()
    assert (delivery["first_offset"], delivery["last_offset"]) == (1, 1)
