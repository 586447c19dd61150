"""Requests that wait on a web worker: they hold no thread, notice who left, and look at their right again."""

import json
import re
import socket
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import ApiKey, User
from accounts.roles import Role
from consumers.models import ConsumerGroup, Delivery
from streams.connections import connect
from streams.models import Stream, Visibility
from streams.services.lifecycle import delete_stream
from tests.factories import make_group, make_key, make_owner, make_stream, make_token, make_user
from tests.web_server import RawAnswer, WebServer, exchange, receive

pytestmark = pytest.mark.processes

EVENT = b'{"payload":1}'
WAIT = 20


@pytest.fixture
def owner(db_with_commits):
    return make_owner()


@pytest.fixture
def orders(owner):
    orders = make_stream("orders", owner=owner)
    make_group(orders, "readers")
    make_group(orders, "workers", mode="lease")
    return orders


@pytest.fixture
def key(owner, orders):
    return make_key(owner)


@pytest.fixture
def web(orders):
    with WebServer() as server:
        yield server


def request_of(method: str, path: str, credential: str, body: bytes = b"") -> bytes:
    lines = [f"{method} /api/v1/streams/orders{path} HTTP/1.1", "Host: localhost", credential]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


POLL = ("GET", f"/events?last_offset=0&wait={WAIT}", b"")
POLL_AS_GROUP = ("GET", f"/events?consumer_group_id=readers&wait={WAIT}", b"")
LEASE = ("POST", "/consumer-groups/workers/lease", json.dumps({"wait": WAIT}).encode())


def begin(web: WebServer, verb: tuple[str, str, bytes], credential: str) -> socket.socket:
    client = web.connect(timeout=WAIT + 10)
    client.sendall(request_of(verb[0], verb[1], credential, verb[2]))
    return client


def wait_until_waiting(web: WebServer, count: int) -> None:
    deadline = time.monotonic() + 20
    while waiting_of(web) != count:
        assert time.monotonic() < deadline, f"{waiting_of(web)} wait, not {count}"
        time.sleep(0.02)


def waiting_of(web: WebServer) -> int:
    metrics = exchange(web, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").content.decode()
    found = re.search(r"^eventflow_waiting_polls(?:\{[^}]*\})? (\S+)$", metrics, re.MULTILINE)
    return int(float(found[1])) if found else 0


def append(web: WebServer, key: str) -> None:
    assert exchange(web, request_of("POST", "/events", f"X-API-Key: {key}", EVENT)).status_code == 202


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
    delete_stream(stream=Stream.objects.get(name="orders"), confirm="orders")


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
    clients = [begin(web, verb, f"X-API-Key: {key}") for verb in (POLL, POLL_AS_GROUP, LEASE)]
    wait_until_waiting(web, 3)
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
    client = begin(web, POLL, f"X-API-Key: {stranger}")
    wait_until_waiting(web, 1)
    Stream.objects.update(visibility=Visibility.RESTRICTED)
    answer = receive(client)
    assert (answer.status_code, answer.json()["code"]) == (404, "stream_not_found")


def test_a_group_that_is_deleted_meanwhile_is_missing(web, key, owner):
    clients = [begin(web, verb, f"X-API-Key: {key}") for verb in (POLL_AS_GROUP, LEASE)]
    wait_until_waiting(web, 2)
    delete_groups(owner)
    for client in clients:
        answer = receive(client)
        assert (answer.status_code, answer.json()["code"]) == (404, "consumer_group_not_found")


def test_who_signed_in_is_looked_at_again_too(web, owner, orders):
    client = begin(web, POLL, f"Authorization: Bearer {make_token(owner)}")
    wait_until_waiting(web, 1)
    disable(owner)
    assert receive(client).status_code == 401


@pytest.mark.parametrize("verb", [POLL, LEASE], ids=["poll", "lease"])
def test_an_event_that_comes_after_the_right_went_reaches_nobody(web, owner, key, verb):
    revoked_key = ApiKey.objects.get()
    other = make_key(owner)
    client = begin(web, verb, f"X-API-Key: {key}")
    wait_until_waiting(web, 1)
    ApiKey.objects.filter(pk=revoked_key.pk).update(revoked_at=timezone.now())
    # Only what was looked up less than a second ago may still count.
    time.sleep(1.0)
    append(web, other)
    assert receive(client).status_code == 401
    assert Delivery.objects.count() == 0


def test_who_keeps_the_right_waits_on(web, key):
    client = begin(web, POLL, f"X-API-Key: {key}")
    wait_until_waiting(web, 1)
    time.sleep(3)
    append(web, key)
    answer = receive(client)
    assert (answer.status_code, len(answer.json())) == (200, 1)


# --- who has left ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [POLL, LEASE], ids=["poll", "lease"])
def test_who_hangs_up_gives_the_place_back_at_once_and_is_handed_nothing(web, key, verb):
    clients = [begin(web, verb, f"X-API-Key: {key}") for _ in range(20)]
    wait_until_waiting(web, 20)
    for client in clients:
        client.close()
    started = time.monotonic()
    wait_until_waiting(web, 0)
    assert time.monotonic() - started < 5
    append(web, key)
    assert Delivery.objects.count() == 0


# --- how many --------------------------------------------------------------------------------------------------


def test_a_thousand_wait_and_none_is_refused_and_all_are_woken(web, key):
    clients = [begin(web, POLL, f"X-API-Key: {key}") for _ in range(1_000)]
    wait_until_waiting(web, 1_000)
    append(web, key)
    answers: list[RawAnswer] = []

    def take(some: list[socket.socket]) -> None:
        answers.extend(receive(client) for client in some)

    threads = [threading.Thread(target=take, args=(clients[number::8],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answer.status_code for answer in answers] == [200] * 1_000
    for client in clients:
        client.close()


# --- a stuck database ------------------------------------------------------------------------------------------


def test_while_the_database_is_stuck_the_loop_goes_on(orders, key):
    with WebServer(DATABASE_POOL_SIZE="2") as web:
        assert exchange(web, request_of("GET", "/events", f"X-API-Key: {key}")).status_code == 200
        waiting = begin(web, POLL, f"X-API-Key: {key}")
        wait_until_waiting(web, 1)
        with connect("test") as locker, locker.transaction():
            locker.execute("LOCK TABLE streams_stream, accounts_apikey IN ACCESS EXCLUSIVE MODE")
            # What was looked up before is forgotten by then.
            time.sleep(1)
            stuck = [begin(web, ("GET", "/events", b""), f"X-API-Key: {key}") for _ in range(10)]
            for _ in range(3):
                started = time.monotonic()
                assert exchange(web, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").status_code == 200
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
        while exchange(web, request_of("POST", "/events", f"X-API-Key: {key}", EVENT)).status_code != 202:
            assert time.monotonic() < deadline
        assert receive(waiting).status_code == 200
        for client in (*stuck, waiting):
            client.close()
