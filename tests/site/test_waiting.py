"""Requests that wait on a web worker: they hold no thread, notice who left, and look at their right again."""

import json
import re
import socket
import threading
import time
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.limits.places import MAX_READS_IN_LINE
from accounts.models import ApiKey, User
from accounts.roles import Role
from consumers.models import ConsumerGroup, Delivery
from streams.connections import connect
from streams.models import Stream, Visibility
from streams.services.lifecycle import delete_stream
from tests.factories import make_group, make_key, make_owner, make_stream, make_token, make_user
from tests.run.instance import wait_for
from tests.web_server import RawAnswer, WebServer, exchange, receive

pytestmark = pytest.mark.processes

WAIT = 20


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), WebServer(LOG_LEVEL="INFO") as server:
        yield server


@pytest.fixture
def owner(db_with_commits):
    return make_owner()


@pytest.fixture
def orders(owner):
    # A name of its own for each test: the server remembers a name for a second.
    orders = make_stream(owner=owner)
    make_group(orders, "readers")
    make_group(orders, "workers", mode="lease")
    return orders


@pytest.fixture
def key(owner, orders):
    return make_key(owner)


@pytest.fixture
def web(server, orders):
    return Orders(server, orders.name)


POLL = ("GET", f"/events?last_offset=0&wait={WAIT}", b"")
POLL_AS_GROUP = ("GET", f"/events?consumer_group_id=readers&wait={WAIT}", b"")
LEASE = ("POST", "/consumer-groups/workers/lease", json.dumps({"wait": WAIT}).encode())
READ = ("GET", "/events", b"")
APPEND = ("POST", "/events", b'{"payload":1}')
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class Orders:
    """What is asked of one stream on a web server."""

    server: WebServer
    stream: str

    def request(self, verb: tuple[str, str, bytes], credential: str) -> bytes:
        method, path, body = verb
        lines = [f"{method} /api/v1/streams/{self.stream}{path} HTTP/1.1", "Host: localhost", credential]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def begin(self, verb: tuple[str, str, bytes], credential: str) -> socket.socket:
        client = self.server.connect(timeout=WAIT + 10)
        client.sendall(self.request(verb, credential))
        return client

    def ask(self, verb: tuple[str, str, bytes], key: str) -> int:
        return exchange(self.server, self.request(verb, f"X-API-Key: {key}")).status_code

    def append(self, key: str) -> None:
        assert self.ask(APPEND, key) == 202

    def append_many(self, key: str, count: int) -> None:
        """In one append for each thousand."""
        for first in range(0, count, 1_000):
            events = b",".join([b'{"payload":1}'] * min(1_000, count - first))
            assert self.ask(("POST", "/events", b"[" + events + b"]"), key) == 202

    def wait_until_waiting(self, count: int) -> None:
        deadline = time.monotonic() + 20
        while self.waiting != count:
            assert time.monotonic() < deadline, f"{self.waiting} wait, not {count}"
            time.sleep(0.02)

    @property
    def waiting(self) -> int:
        """How many wait on the server, for whatever stream: whoever did so in an earlier test has left."""
        metrics = exchange(self.server, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").content.decode()
        found = re.search(r"^eventflow_waiting_polls(?:\{[^}]*\})? (\S+)$", metrics, re.MULTILINE)
        return int(float(found[1])) if found else 0


# --- what a new request would get ------------------------------------------------------------------------------


def revoke(user: User) -> None:
    ApiKey.objects.update(revoked_at=timezone.now())


def expire(user: User) -> None:
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def disable(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def narrow(user: User) -> None:
    ApiKey.objects.update(scopes=["produce"])


def delete(user: User) -> None:
    orders = Stream.objects.get()
    delete_stream(stream=orders, confirm=orders.name)


def delete_groups(user: User) -> None:
    ConsumerGroup.objects.all().delete()


LOSSES = [
    (revoke, 401, "invalid_credentials"),
    (expire, 401, "invalid_credentials"),
    (disable, 401, "invalid_credentials"),
    (narrow, 403, "scope_missing"),
    (delete, 404, "stream_not_found"),
]


@pytest.mark.parametrize(("lose", "status", "code"), LOSSES)
def test_who_loses_the_right_while_waiting_gets_what_a_new_request_would_get(web, owner, key, lose, status, code):
    clients = [web.begin(verb, f"X-API-Key: {key}") for verb in (POLL, POLL_AS_GROUP, LEASE)]
    web.wait_until_waiting(3)
    time.sleep(0.5)
    lose(owner)
    lost_at = time.monotonic()
    for client in clients:
        answer = receive(client)
        # Within a second; the rest is for a busy machine.
        assert time.monotonic() - lost_at < 3
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        client.close()


def test_a_stream_that_is_restricted_meanwhile_is_missing_for_a_stranger(web, orders):
    stranger = make_key(make_user(Role.CONSUMER))
    client = web.begin(POLL, f"X-API-Key: {stranger}")
    web.wait_until_waiting(1)
    Stream.objects.update(visibility=Visibility.RESTRICTED)
    answer = receive(client)
    assert (answer.status_code, answer.json()["code"]) == (404, "stream_not_found")


def test_a_group_that_is_deleted_meanwhile_is_missing(web, key, owner):
    clients = [web.begin(verb, f"X-API-Key: {key}") for verb in (POLL_AS_GROUP, LEASE)]
    web.wait_until_waiting(2)
    delete_groups(owner)
    for client in clients:
        answer = receive(client)
        assert (answer.status_code, answer.json()["code"]) == (404, "consumer_group_not_found")


def test_a_group_that_is_paused_meanwhile_says_so_at_once(web, key):
    client = web.begin(POLL_AS_GROUP, f"X-API-Key: {key}")
    web.wait_until_waiting(1)
    ConsumerGroup.objects.update(is_paused=True)
    paused_at = time.monotonic()
    answer = receive(client)
    assert time.monotonic() - paused_at < 3
    assert (answer.status_code, answer.json()["code"]) == (409, "group_paused")


def test_who_signed_in_is_looked_at_again_too(web, owner, orders):
    client = web.begin(POLL, f"Authorization: Bearer {make_token(owner)}")
    web.wait_until_waiting(1)
    disable(owner)
    assert receive(client).status_code == 401


@pytest.mark.parametrize("verb", [POLL, LEASE], ids=["poll", "lease"])
def test_an_event_that_comes_after_the_right_went_reaches_nobody(web, owner, key, verb):
    revoked_key = ApiKey.objects.get()
    other = make_key(owner)
    client = web.begin(verb, f"X-API-Key: {key}")
    web.wait_until_waiting(1)
    ApiKey.objects.filter(pk=revoked_key.pk).update(revoked_at=timezone.now())
    # Only what was looked up less than a second ago may still count.
    time.sleep(1.0)
    web.append(other)
    assert receive(client).status_code == 401
    assert Delivery.objects.count() == 0


def test_who_keeps_the_right_waits_on(web, key):
    client = web.begin(POLL, f"X-API-Key: {key}")
    web.wait_until_waiting(1)
    time.sleep(3)
    web.append(key)
    answer = receive(client)
    assert (answer.status_code, len(answer.json())) == (200, 1)


@pytest.mark.parametrize("verb", [POLL, LEASE], ids=["poll", "lease"])
def test_waiting_is_told_in_the_log_and_is_not_slow(web, server, key, verb):
    client = web.begin(verb, f"X-API-Key: {key}")
    web.wait_until_waiting(1)
    time.sleep(1.5)
    web.append(key)
    assert receive(client).status_code == 200
    path = verb[1].partition("?")[0]

    def lines():
        found = [json.loads(line) for line in server.log.splitlines() if f"{web.stream}{path}" in line]
        return [line for line in found if line["method"] == verb[0]]

    wait_for("its line", lines)
    [line] = lines()
    assert (line["level"], line["waited_seconds"] > 1.4) == ("info", True)
    assert "slow" not in line


# --- who has left ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [POLL, LEASE], ids=["poll", "lease"])
def test_who_hangs_up_gives_the_place_back_at_once_and_is_handed_nothing(web, key, verb):
    clients = [web.begin(verb, f"X-API-Key: {key}") for _ in range(20)]
    web.wait_until_waiting(20)
    for client in clients:
        client.close()
    started = time.monotonic()
    web.wait_until_waiting(0)
    assert time.monotonic() - started < 5
    web.append(key)
    assert Delivery.objects.count() == 0


# --- how many --------------------------------------------------------------------------------------------------


def alike(_: int) -> tuple[str, str, bytes]:
    return POLL


def each_its_own(number: int) -> tuple[str, str, bytes]:
    """A poll whose read answers nobody else."""
    return ("GET", f"/events?last_offset=0&wait={WAIT}&max_bytes={number + 1}", b"")


def to_work_on(_: int) -> tuple[str, str, bytes]:
    return ("POST", "/consumer-groups/workers/lease", json.dumps({"wait": WAIT, "max_events": 1}).encode())


@pytest.mark.parametrize("verb", [alike, each_its_own, to_work_on])
def test_more_wait_than_may_stand_in_line_and_none_is_refused_and_all_are_woken(web, key, verb):
    count = MAX_READS_IN_LINE[-1] + 200
    clients: list[socket.socket] = []
    while len(clients) < count:
        clients += [web.begin(verb(len(clients) + number), f"X-API-Key: {key}") for number in range(100)]
        web.wait_until_waiting(len(clients))
    web.append_many(key, count)
    answers: list[RawAnswer] = []

    def take(some: list[socket.socket]) -> None:
        answers.extend(receive(client) for client in some)

    threads = [threading.Thread(target=take, args=(clients[number::8],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.status_code for answer in answers] == [200] * count
    for client in clients:
        client.close()


# --- a stuck database ------------------------------------------------------------------------------------------


def test_while_the_database_is_stuck_the_loop_goes_on(orders, key):
    with WebServer(DATABASE_POOL_SIZE="2") as server:
        web = Orders(server, orders.name)
        assert web.ask(READ, key) == 200
        waiting = web.begin(POLL, f"X-API-Key: {key}")
        web.wait_until_waiting(1)
        with connect("test") as locker, locker.transaction():
            locker.execute("LOCK TABLE streams_stream, accounts_apikey IN ACCESS EXCLUSIVE MODE")
            # What was looked up before is forgotten by then.
            time.sleep(1)
            stuck = [web.begin(READ, f"X-API-Key: {key}") for _ in range(10)]
            for _ in range(3):
                started = time.monotonic()
                assert exchange(server, HEALTH).status_code == 200
                assert time.monotonic() - started < 2
            refused = receive(stuck[-1])
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert refused.headers["Eventflow-Stored"] == "no"
            waiting.settimeout(0.1)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
            waiting.settimeout(WAIT)
        # Once it answers again, so does everything.
        deadline = time.monotonic() + 15
        while web.ask(APPEND, key) != 202:
            assert time.monotonic() < deadline
        assert receive(waiting).status_code == 200
        for client in (*stuck, waiting):
            client.close()
