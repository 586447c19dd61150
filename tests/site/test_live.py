"""Live streams on a web worker: events as they come, for as long as the right to them lasts and somebody listens."""

import asyncio
import json
import re
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.limits.places import MAX_READS_IN_LINE
from accounts.models import ApiKey, User, UserSession
from accounts.roles import Right, Role
from consumers.models import GroupOffset
from streams.models import Stream, Visibility
from streams.services.lifecycle import change_stream, delete_stream
from tests.factories import make_group, make_key, make_owner, make_stream, make_token, make_user
from tests.live import PATIENCE_SECONDS, LiveStream
from tests.run.instance import wait_for
from tests.scenarios.http import Server
from tests.web_server import WebServer, exchange

pytestmark = pytest.mark.processes

# What was lost is said within a second; the rest is for a busy machine.
WITHIN_SECONDS = 3


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with (
        django_db_blocker.unblock(),
        WebServer(EVENTFLOW_CORS_ORIGINS="https://shop.example", LOG_LEVEL="INFO") as server,
    ):
        yield server


@pytest.fixture
def owner(db_with_commits):
    return make_owner()


@pytest.fixture
def orders(owner) -> Stream:
    # A name of its own for each test: the server remembers a name for a second.
    return make_stream(owner=owner, partitions=1)


@pytest.fixture
def key(owner, orders) -> str:
    return make_key(owner)


@pytest.fixture
def api(server, key) -> Server:
    return Server(server.port, X_API_Key=key)


def append(api: Server, stream: Stream, *events: dict) -> None:
    status, answer = api.call("POST", f"/streams/{stream.name}/events", list(events))
    assert status == 202, answer


def follow(
    server: WebServer, stream: Stream, query: str = "", *, timeout: float = PATIENCE_SECONDS, **headers: str
) -> LiveStream:
    """A stream that is open, past its first block."""
    live = LiveStream(server.port, f"/streams/{stream.name}/events/live{query}", timeout=timeout, **headers)
    assert live.status == 200, live.answer.read()
    assert live.next_block().id is not None
    return live


def metric(server: WebServer, name: str) -> float:
    content = exchange(server, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").content.decode()
    found = re.search(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", content, re.MULTILINE)
    return float(found[1]) if found else 0.0


def wait_until_open(server: WebServer, count: int) -> None:
    wait_for(f"{count} open live streams", lambda: metric(server, "eventflow_live_streams") == count)


# --- as they come ---------------------------------------------------------------------------------------------


def test_events_come_as_they_are_appended_and_no_offset_moves(server, orders, key, api):
    make_group(orders, "readers")
    with follow(server, orders, X_API_Key=key) as live:
        assert live.answer.headers["Content-Type"] == "text/event-stream"
        assert live.answer.headers["Cache-Control"] == "no-store"
        assert live.answer.headers["X-Accel-Buffering"] == "no"
        for number in range(3):
            append(api, orders, {"payload": number})
            [event] = live.events(1)
            assert (event["offset"], event["payload"]) == (number + 1, number)
        assert live.last_id == "0=3"
    assert GroupOffset.objects.get().committed_offset == 0


def test_the_events_of_one_commit_come_in_one_write(server, orders, key, api):
    with server.connect() as client:
        request = (
            f"GET /api/v1/streams/{orders.name}/events/live HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n"
        )
        client.sendall(request.encode())
        received = b""
        while b"id: 0=0\n\n" not in received:
            received += client.recv(65536)
        append(api, orders, *({"payload": number} for number in range(100)))
        received = b""
        while not received.endswith(b"\n\n\r\n"):
            received += client.recv(65536)
        # One chunk, which says its length first.
        size, _, rest = received.partition(b"\r\n")
        assert int(size, 16) == len(rest) - len(b"\r\n")
        assert rest.count(b"data: ") == 100


def test_partitions_that_are_added_while_it_is_open_come_along_from_their_first_event(server, orders, key, api):
    with follow(server, orders, X_API_Key=key) as live:
        append(api, orders, {"payload": 0, "key": "k0"})
        live.events(1)
        change_stream(stream=orders, changes={"partition_count": 4}, now=timezone.now(), confirm=orders.name)
        append(api, orders, *({"payload": number, "key": f"k{number}"} for number in range(1, 40)))
        found = live.events(39)
    assert sorted(event["payload"] for event in found) == list(range(1, 40))
    assert len({event["partition"] for event in found}) > 1
    assert {number for number, _ in (item.split("=") for item in live.last_id.split(","))} == {"0", "1", "2", "3"}


def test_who_follows_one_partition_goes_on_with_it_alone(server, orders, key, api):
    with follow(server, orders, "?partition=0", X_API_Key=key) as live:
        change_stream(stream=orders, changes={"partition_count": 4}, now=timezone.now(), confirm=orders.name)
        # Whoever follows learns of it meanwhile.
        time.sleep(2)
        append(api, orders, *({"payload": number, "key": f"k{number}"} for number in range(40)))
        status, polled = api.call("GET", f"/streams/{orders.name}/events?partition=0")
        assert (status, live.events(len(polled))) == (200, polled)
        assert live.last_id == f"0={len(polled)}"


def test_only_the_types_that_were_asked_for_come(server, orders, key, api):
    with follow(server, orders, "?type=order.paid", X_API_Key=key) as live:
        append(api, orders, {"payload": 1, "type": "order.created"}, {"payload": 2, "type": "order.paid"})
        append(api, orders, {"payload": 3, "type": "order.created"})
        append(api, orders, {"payload": 4, "type": "order.paid"})
        assert [event["payload"] for event in live.events(2)] == [2, 4]


def test_a_long_stream_is_caught_up_with(server, orders, key, api):
    for start in range(0, 5_000, 1_000):
        append(api, orders, *({"payload": {"n": start + number, "text": "x" * 300}} for number in range(1_000)))
    with follow(server, orders, "?last_offset=earliest", X_API_Key=key) as live:
        assert [event["offset"] for event in live.events(5_000)] == list(range(1, 5_001))
        append(api, orders, {"payload": "the last one"})
        assert live.events(1)[0]["offset"] == 5_001


@pytest.mark.slow("waits for a sign of life, which comes after 15 s without an event")
def test_where_nothing_happens_a_sign_of_life_comes_and_then_events_go_on(server, owner, orders, key, api):
    quiet = make_stream(owner=owner)
    with (
        follow(server, quiet, X_API_Key=key, timeout=25) as silent,
        follow(server, orders, "?type=rare", X_API_Key=key, timeout=25) as live,
    ):
        append(api, orders, {"payload": 1, "type": "frequent"})
        comment = silent.next_block()
        assert (comment.comments, comment.id) == ([""], None)
        # The place has moved past what was not asked for, so that is told.
        assert live.next_block().id == "0=1"
        # A connection that is used for nothing else was closed meanwhile.
        append(Server(server.port, X_API_Key=key), orders, {"payload": 2, "type": "rare"})
        assert live.events(1)[0]["payload"] == 2


# --- the right to it ------------------------------------------------------------------------------------------


def revoke(user: User, stream: Stream) -> None:
    ApiKey.objects.update(revoked_at=timezone.now())


def disable(user: User, stream: Stream) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def narrow(user: User, stream: Stream) -> None:
    ApiKey.objects.update(scopes=["produce"])


def delete(user: User, stream: Stream) -> None:
    delete_stream(stream=stream, confirm=stream.name)


def delete_and_make_anew(user: User, stream: Stream) -> None:
    delete(user, stream)
    make_stream(stream.name, owner=user)


LOSSES = [
    (revoke, 401, "invalid_credentials"),
    (disable, 401, "invalid_credentials"),
    (narrow, 403, "scope_missing"),
    (delete, 404, "stream_not_found"),
    (delete_and_make_anew, 404, "stream_not_found"),
]


def assert_ends(live: LiveStream, lose: Callable[[], None], status: int, code: str) -> None:
    """It says why, as a new request would be told, and is over."""
    time.sleep(0.5)
    lose()
    lost_at = time.monotonic()
    end = live.next_event()
    assert time.monotonic() - lost_at < WITHIN_SECONDS
    assert (end.kind, end.id) == ("end", None)
    problem = end.json()
    assert (problem["status"], problem["code"], problem["retryable"]) == (status, code, False)
    assert problem["request_id"] == live.answer.headers["X-Request-Id"]
    assert live.next_block() is None


@pytest.mark.parametrize(("lose", "status", "code"), LOSSES)
def test_it_ends_with_the_right_to_it(server, owner, orders, key, lose, status, code):
    with follow(server, orders, X_API_Key=key) as live:
        assert_ends(live, lambda: lose(owner, orders), status, code)


def test_it_ends_with_the_session_of_a_person(server, owner, orders):
    with follow(server, orders, Authorization=f"Bearer {make_token(owner)}") as live:
        assert_ends(live, lambda: UserSession.objects.all().delete(), 401, "invalid_credentials")


def test_it_ends_for_a_stranger_when_the_stream_is_restricted(server, orders):
    stranger = make_key(make_user(Role.CONSUMER))
    with follow(server, orders, X_API_Key=stranger) as live:
        restrict = Stream.objects.filter(pk=orders.pk).update
        assert_ends(live, lambda: restrict(visibility=Visibility.RESTRICTED), 404, "stream_not_found")


def test_an_event_that_comes_after_the_right_went_reaches_nobody(server, owner, orders, key, api):
    other = make_key(owner, Right.CONSUME)
    with follow(server, orders, X_API_Key=other) as live:
        ApiKey.objects.filter(scopes=["consume"]).update(revoked_at=timezone.now())
        # Only what was looked up less than a second ago may still count.
        time.sleep(1.0)
        append(api, orders, {"payload": "a secret"})
        assert live.next_event().kind == "end"
        assert live.next_event() is None


def test_who_keeps_the_right_follows_on(server, orders, key, api):
    with follow(server, orders, X_API_Key=key) as live:
        time.sleep(3)
        append(api, orders, {"payload": 1})
        assert live.events(1)[0]["payload"] == 1


# --- who has left, and who is slow ----------------------------------------------------------------------------


def test_who_hangs_up_gives_the_place_back_at_once(server, orders, key):
    lives = [follow(server, orders, X_API_Key=key) for _ in range(20)]
    wait_until_open(server, 20)
    for live in lives:
        live.close()
    started = time.monotonic()
    wait_until_open(server, 0)
    assert time.monotonic() - started < 5


def memory_of(server: WebServer) -> int:
    """Bytes that the worker has in memory."""
    [pid] = server.worker_pids()
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.mark.slow("a reader is slow after 15 s")
def test_who_takes_nothing_is_kept_little_for_and_dropped_and_goes_on_where_they_stopped(server, orders, key, api):
    events, size = 200, 300_000
    dropped = metric(server, "eventflow_live_streams_dropped_total")
    slow = socket.socket()
    # As little as may be on the client's side.
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.settimeout(20)
    slow.connect(("127.0.0.1", server.port))
    target = f"/api/v1/streams/{orders.name}/events/live?last_offset=earliest"
    slow.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n".encode())
    received = slow.recv(1024)
    before = memory_of(server)
    for _ in range(events // 20):
        append(api, orders, *({"payload": "x" * size} for _ in range(20)))
    wait_for("a reader who is dropped", lambda: metric(server, "eventflow_live_streams_dropped_total") > dropped, 40)
    wait_until_open(server, 0)
    # Sixty megabytes went by. The cache of batches keeps as much as it may of them, and little is for this reader.
    assert memory_of(server) - before < 2 * 64 * 1024 * 1024
    # They are hung up on: nothing says that this was all, and the last event may be cut short.
    with suppress(ConnectionResetError):
        while piece := slow.recv(65536):
            received += piece
    slow.close()
    assert not received.endswith(b"\r\n0\r\n\r\n")
    whole = re.sub(rb"\r\n[0-9a-f]+\r\n", b"", received)
    seen = [int(number) for number in re.findall(rb"id: 0=(\d+)\ndata: [^\n]*\n\n", whole)]
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) < events / 2
    with follow(server, orders, X_API_Key=key, Last_Event_ID=f"0={len(seen)}") as live:
        rest = live.events(events - len(seen))
    assert [event["offset"] for event in rest] == list(range(len(seen) + 1, events + 1))


# Who a key belongs to is remembered for a moment; whether a person may still ask is looked up.
@pytest.mark.parametrize("whose", ["by one key", "of one person"])
def test_more_than_may_stand_in_line_for_the_database_are_all_told_and_none_is_sent_away(
    server, owner, orders, key, api, whose
):
    count = MAX_READS_IN_LINE[-1] + 200
    credential = f"X-API-Key: {key}" if whose == "by one key" else f"Authorization: Bearer {make_token(owner)}"
    request = f"GET /api/v1/streams/{orders.name}/events/live HTTP/1.1\r\nHost: localhost\r\n{credential}\r\n\r\n"

    async def open_one() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request.encode())
        await reader.readuntil(b"id: 0=0\n\n")
        return reader, writer

    async def follow_all() -> None:
        connections = []
        for _ in range(0, count, 100):
            connections += await asyncio.gather(*(open_one() for _ in range(100)))
        for number in range(1, 4):
            await asyncio.to_thread(append, api, orders, {"payload": number})
            told = await asyncio.gather(*(reader.readuntil(b"}\n\n") for reader, _ in connections))
            assert all(b"id: 0=%d\ndata: {" % number in each for each in told)
        for _, writer in connections:
            writer.close()

    asyncio.run(asyncio.wait_for(follow_all(), 60))
    wait_until_open(server, 0)


# --- around it ------------------------------------------------------------------------------------------------


def test_a_stop_ends_it_politely_and_another_goes_on(owner, orders, key):
    with WebServer() as first:
        live = follow(first, orders, X_API_Key=key)
        append(Server(first.port, X_API_Key=key), orders, {"payload": 1})
        live.events(1)
        first.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        # It ends whole, and not with a word that the right to it has ended.
        assert live.next_event() is None
        assert live.answer.isclosed()
        assert time.monotonic() - started < 5
    with WebServer() as second:
        append(Server(second.port, X_API_Key=key), orders, {"payload": 2})
        with follow(second, orders, X_API_Key=key, Last_Event_ID=live.last_id) as again:
            assert again.events(1)[0]["payload"] == 2


def test_a_live_stream_has_one_line_in_the_log_when_it_is_over_and_was_not_slow(server, orders, key):
    def lines():
        path = f'"path":"/api/v1/streams/{orders.name}/events/live"'
        return [json.loads(line) for line in server.log.splitlines() if path in line]

    with follow(server, orders, X_API_Key=key):
        time.sleep(1.5)
        assert lines() == []
    wait_for("its line", lines)
    [line] = lines()
    assert (line["status"], line["level"], line["streaming"]) == (200, "info", True)
    assert line["duration_seconds"] > line["waited_seconds"] > 1.4
    assert "slow" not in line


def test_the_line_of_one_whose_right_has_ended_says_why(server, owner, orders, key):
    with follow(server, orders, X_API_Key=key) as live:
        delete(owner, orders)
        assert live.next_event().kind == "end"
        wait_for("its line", lambda: orders.name in server.log)
    [line] = [json.loads(line) for line in server.log.splitlines() if f"{orders.name}/events/live" in line]
    assert (line["status"], line["code"]) == (200, "stream_not_found")


def test_a_listed_site_may_follow_it_from_a_browser(server, orders, key, api):
    with follow(server, orders, X_API_Key=key, Origin="https://shop.example") as live:
        assert live.answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    preflight = "\r\n".join(
        [
            f"OPTIONS /api/v1/streams/{orders.name}/events/live HTTP/1.1",
            "Host: localhost",
            "Origin: https://shop.example",
            "Access-Control-Request-Method: GET",
            "Access-Control-Request-Headers: x-api-key, last-event-id",
        ]
    )
    answer = exchange(server, f"{preflight}\r\n\r\n".encode())
    assert answer.status_code == 204
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"x-api-key", "authorization", "last-event-id"} <= {*allowed}


def test_head_opens_nothing(server, orders, key):
    head = f"HEAD /api/v1/streams/{orders.name}/events/live HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n\r\n"
    with server.connect() as client:
        client.sendall(head.encode())
        answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"content-type: text/event-stream" in answer.lower()
    wait_until_open(server, 0)
