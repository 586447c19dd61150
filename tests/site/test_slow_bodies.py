"""Bodies on their way: who dawdles is sent away, and takes neither a thread nor a stranger's place."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.errors import BodyTooSlow, TooManySlowBodies
from accounts.models import ApiKey
from accounts.services.api_keys import revoke_api_key
from eventflow_site.front import limits
from eventflow_site.front.bodies import Bodies, Sender
from streams.models import Partition, Stream
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.web_server import WebServer, exchange, receive

ADA, BOB = Sender("key:ada", is_proven=True), Sender("key:bob", is_proven=True)
SOMEBODY, ANYBODY = Sender("10.0.0.1", is_proven=False), Sender("10.0.0.2", is_proven=False)
EVENT = b'{"stream":"orders","payload":1}'


def hurry(monkeypatch, factor):
    for name in ("BODY_PAUSE_SECONDS", "BODY_SECONDS", "SWEEP_SECONDS", "SLOW_BODY_SECONDS"):
        monkeypatch.setattr(limits, name, getattr(limits, name) / factor)


@pytest.fixture
def quick(monkeypatch):
    """The same rules, a hundred times as fast."""
    hurry(monkeypatch, 100)


@pytest.fixture
def brisk(monkeypatch):
    """Ten times as fast: for a test whose sender must keep up, on a machine that is busy."""
    hurry(monkeypatch, 10)


async def pieces(*sizes: int, pause: float = 0.0) -> AsyncIterator[bytes]:
    for size in sizes:
        await asyncio.sleep(pause)
        yield b"x" * size


async def nothing() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


def collect(bodies: Bodies, sender: Sender = ADA, source=None, declared: int | None = 10, limit: int = 10_000_000):
    return asyncio.ensure_future(
        bodies.collect(nothing() if source is None else source, declared=declared, limit=limit, sender=sender)
    )


async def told(*tasks):
    return [
        type(each) if isinstance(each, Exception) else each
        for each in await asyncio.gather(*tasks, return_exceptions=True)
    ]


def test_a_body_is_put_together_and_ends_where_it_was_said_to():
    async def main() -> None:
        bodies = Bodies()
        assert await collect(bodies, source=pieces(3, 0, 4, 3, 99), declared=10) == b"x" * 10
        assert await collect(bodies, source=pieces(3, 4), declared=None) == b"x" * 7
        assert await collect(bodies, source=pieces(3, 4), declared=10) == b"x" * 7, "it was cut off"
        assert await collect(bodies, source=pieces(*[5] * 100), declared=None, limit=12) == b"x" * 15, "a little more"
        assert await collect(bodies, source=pieces(1), declared=0) == b""

    asyncio.run(main())


def test_who_pauses_for_too_long_is_sent_away(quick):
    async def main() -> None:
        started = time.monotonic()
        assert await told(collect(Bodies())) == [BodyTooSlow]
        assert time.monotonic() - started >= limits.BODY_PAUSE_SECONDS

    asyncio.run(main())


def test_who_trickles_is_sent_away_though_something_always_comes(quick):
    async def main() -> None:
        started = time.monotonic()
        trickle = collect(Bodies(), source=pieces(*[1] * 1000, pause=0.01), declared=1000)
        assert await told(trickle) == [BodyTooSlow]
        assert time.monotonic() - started < limits.BODY_SECONDS, "not only when its whole time is over"

    asyncio.run(main())


def test_who_takes_too_long_in_all_is_sent_away(quick):
    async def main() -> None:
        steady = collect(Bodies(), source=pieces(*[10_000] * 1000, pause=0.01), declared=10_000_000)
        assert await told(steady) == [BodyTooSlow]

    asyncio.run(main())


def test_who_keeps_up_is_waited_for(brisk):
    async def main() -> None:
        started = time.monotonic()
        steady = collect(Bodies(), source=pieces(*[1_000] * 20, pause=0.06), declared=20_000)
        assert await told(steady) == [b"x" * 20_000]
        assert time.monotonic() - started > limits.BODY_PAUSE_SECONDS, "each piece gives them time anew"

    asyncio.run(main())


def test_a_request_that_is_called_off_otherwise_is_no_slow_body():
    async def main() -> None:
        task = collect(Bodies())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_who_has_too_many_slow_bodies_is_refused_and_others_are_not(quick, monkeypatch):
    monkeypatch.setattr(limits, "MAX_SLOW_BODIES_EACH", 3)
    monkeypatch.setattr(limits, "BODY_PAUSE_SECONDS", 60)

    async def main() -> None:
        bodies = Bodies()
        stuck = [collect(bodies, sender) for sender in (ADA, SOMEBODY) for _ in range(3)]
        await asyncio.sleep(0)
        quickly = [collect(bodies, sender, pieces(10)) for sender in (ADA, SOMEBODY)]
        assert await told(*quickly) == [b"x" * 10] * 2, "they are not slow yet"
        await asyncio.sleep(2 * limits.SLOW_BODY_SECONDS)
        asked = [collect(bodies, sender, pieces(10)) for sender in (ADA, SOMEBODY, BOB, ANYBODY)]
        assert await told(*asked) == [TooManySlowBodies, TooManySlowBodies, b"x" * 10, b"x" * 10]
        stuck[0].cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await told(collect(bodies, ADA, pieces(10))) == [b"x" * 10], "a place was given back"
        for task in stuck:
            task.cancel()

    asyncio.run(main())


def test_where_all_have_too_many_the_oldest_goes_and_newcomers_find_room(quick, monkeypatch):
    monkeypatch.setattr(limits, "MAX_UNPROVEN_SLOW_BODIES", 5)
    monkeypatch.setattr(limits, "BODY_PAUSE_SECONDS", 60)

    async def main() -> None:
        bodies = Bodies()
        crowd = [collect(bodies, Sender(f"10.0.1.{number}", is_proven=False)) for number in range(5)]
        proven = collect(bodies, ADA)
        await asyncio.sleep(2 * limits.SLOW_BODY_SECONDS)
        assert await told(collect(bodies, ANYBODY, pieces(10))) == [b"x" * 10]
        assert await told(crowd[0]) == [BodyTooSlow]
        assert not any(task.done() for task in (*crowd[1:], proven))
        for task in (*crowd, proven):
            task.cancel()

    asyncio.run(main())


def test_no_sender_holds_more_bytes_than_are_one_senders(monkeypatch):
    monkeypatch.setattr(limits, "MAX_BODY_BYTES_EACH", 1_000)

    async def main() -> None:
        bodies = Bodies()

        async def half() -> AsyncIterator[bytes]:
            yield b"x" * 600
            await asyncio.Event().wait()

        held = collect(bodies, ADA, half(), declared=700)
        await asyncio.sleep(0.01)
        asked = [collect(bodies, sender, pieces(600), declared=600) for sender in (ADA, BOB)]
        assert await told(*asked) == [TooManySlowBodies, b"x" * 600]
        held.cancel()
        await asyncio.sleep(0.01)
        assert await told(collect(bodies, ADA, pieces(600), declared=600)) == [b"x" * 600]

    asyncio.run(main())


# --- over HTTP ------------------------------------------------------------------------------------------------


def request_of(path: str, length: int, *lines: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", "Content-Type: application/json"]
    return "\r\n".join([*head, *lines, "", ""]).encode()


@pytest.mark.processes
@pytest.mark.usefixtures("db_with_commits")
def test_hundreds_who_dawdle_hold_up_nobody_and_are_told_so():
    owner = make_owner()
    make_stream("orders", owner=owner)
    key = make_key(owner)
    plain = request_of("/api/v1/events", len(EVENT), f"X-API-Key: {key}") + EVENT
    with WebServer() as web:
        stuck = []
        try:
            for number in range(300):
                client = web.connect()
                path = ("/sign-in", "/api/v1/auth/login", "/api/v1/events")[number % 3]
                client.sendall(
                    request_of(path, 1000, f"X-API-Key: {key}" if "events" in path and number % 2 else "X-A: b") + b"{"
                )
                stuck.append(client)
            time.sleep(1)
            for _ in range(5):
                started = time.monotonic()
                assert exchange(web, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").status_code == 200
                assert exchange(web, plain).status_code == 202
                assert exchange(web, b"GET /api/v1/docs HTTP/1.1\r\nHost: localhost\r\n\r\n").status_code == 200
                assert time.monotonic() - started < 5
            answer = receive(stuck[1])
            assert answer.status_code == 408
            assert answer.json()["code"] == "body_too_slow"
            assert answer.headers["Connection"] == "close"
            assert answer.is_closed or stuck[1].recv(1) == b""
        finally:
            for client in stuck:
                client.close()


@pytest.mark.processes
@pytest.mark.usefixtures("db_with_commits")
def test_what_ends_while_a_body_is_on_its_way_has_ended_when_it_is_there():
    owner = make_owner()
    make_group(make_stream("orders", owner=owner), "billing", owner=owner)
    make_group(Stream.objects.get(), "shipping", owner=owner, mode="lease")
    group = "/api/v1/streams/orders/consumer-groups"
    bodies = {
        "/api/v1/events": EVENT,
        f"{group}/billing/offsets": b'{"offsets":[{"partition":0,"offset":1}]}',
        f"{group}/shipping/lease": b'{"max_events":1,"wait":0}',
        f"{group}/shipping/ack": b'{"deliveries":[{"delivery_id":1,"lease_token":"%s"}]}' % str(uuid4()).encode(),
    }
    key = make_key(owner)
    with WebServer() as web:
        assert exchange(web, request_of("/api/v1/events", len(EVENT), f"X-API-Key: {key}") + EVENT).status_code == 202
        under_way = [web.connect() for _ in bodies]
        try:
            for client, (path, body) in zip(under_way, bodies.items(), strict=True):
                client.sendall(request_of(path, len(body), f"X-API-Key: {key}") + body[:5])
            time.sleep(0.5)
            revoke_api_key(key=ApiKey.objects.get(), now=timezone.now())
            time.sleep(1)
            for client, body in zip(under_way, bodies.values(), strict=True):
                client.sendall(body[5:])
            answers = [receive(client) for client in under_way]
        finally:
            for client in under_way:
                client.close()
    assert [answer.status_code for answer in answers] == [401] * len(bodies)
    assert Partition.objects.get().head_offset == 1
