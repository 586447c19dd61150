"""`streams.follow`: events as they come, once each over connections that break, until the right to them ends."""

import asyncio
import itertools
import logging
import threading
import time
from contextlib import aclosing

import httpx
import pytest
from between import Between
from django.utils import timezone
from eventflow_client import AsyncEventFlow, Closed, EventFlow, NoAnswer, Retries, problems
from eventflow_client.event_stream import EventStream
from eventflow_client.models import Gap, Retention
from rest_framework_simplejwt.tokens import AccessToken
from running import append, wait_for

from accounts.models import UserSession
from streams.services.retention import delete_expired_events
from tests.factories import make_key, make_token

pytestmark = pytest.mark.processes


@pytest.fixture
def direct(web, key):
    """Nothing in between: the lossy network passes on whole answers only."""
    with EventFlow(web.url, key=key) as client:
        yield client


def take(count, events):
    return [event.payload for event in itertools.islice(events, count)]


def test_what_is_there_comes_first_and_then_what_comes(direct, orders):
    append(direct, orders, 3)
    events = direct.streams.follow(orders, last_offset=1)

    assert [next(events).payload, next(events).payload] == [1, 2]
    direct.send(orders, "new", type="t", key="k")
    new = next(events)
    assert (new.payload, new.type, new.key, new.partition, new.offset) == ("new", "t", "k", 0, 4)


def test_only_the_types_and_the_partition_that_were_asked_for(direct, orders):
    append(direct, orders, 2, type="paid")
    append(direct, orders, 2, type="sent")
    append(direct, orders, 1, type="lost")

    events = direct.streams.follow(orders, last_offset="earliest", partition=0, types=["paid", "lost"])

    assert take(3, events) == [0, 1, 0]


def test_cut_off_again_and_again_it_skips_nothing_and_repeats_nothing(web, key, direct, orders):
    seen: list[int] = []
    with Between(web.port) as between, EventFlow(between.url, key=key) as client:

        def follow() -> None:
            for event in client.streams.follow(orders, last_offset="earliest"):
                seen.append(event.payload)
                if event.payload == 199:
                    return

        thread = threading.Thread(target=follow)
        thread.start()
        for number in range(200):
            direct.send(orders, number)
            if number % 60 == 59:
                wait_for("all until now", lambda: len(seen) > number)  # noqa: B023 - called at once
                between.cut()
        thread.join(60)
        assert not thread.is_alive()
        assert between.accepted == 4
    assert seen == list(range(200))


def test_what_retention_took_is_told(direct, orders, caplog):
    append(direct, orders, 2)
    append(direct, orders, 2)
    direct.streams.change(orders, retention=Retention(max_events=2), confirm=orders)
    delete_expired_events(now=timezone.now())
    gaps: list[Gap] = []

    assert take(2, direct.streams.follow(orders, last_offset=0, on_gap=gaps.append)) == [0, 1]
    assert gaps == [Gap(partition=0, first_offset=1, last_offset=2)]
    with caplog.at_level(logging.WARNING, "eventflow_client"):
        take(2, direct.streams.follow(orders, last_offset=0))
    assert f"retention took offsets 1 to 2 of {orders}" in caplog.text


def test_it_ends_with_the_right_to_it_and_says_why(web, owner, orders):
    key = make_key(owner)
    with EventFlow(web.url, key=key) as client, EventFlow(web.url, token=make_token(owner)) as person:
        events = client.streams.follow(orders)
        threading.Timer(0.5, lambda: person.keys.revoke(key.split("_")[2])).start()

        with pytest.raises(problems.Problem) as ended:
            next(events)

    assert ended.value.status == 401


class Token(httpx.BaseTransport):
    """Sends what it has at the time of each request, as a person's session does."""

    def __init__(self, access: str) -> None:
        self.access = access
        self._client = httpx.Client()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Authorization"] = f"Bearer {self.access}"
        return self._client.send(request, stream=True)

    def close(self) -> None:
        self._client.close()


def test_a_token_that_runs_out_ends_it_for_who_has_no_other(web, direct, owner, orders, caplog):
    session = Token(make_token(owner))
    with EventFlow(web.url, token="of the session", transport=session) as client:
        events = client.streams.follow(orders, last_offset="earliest")
        for number in (1, 2):
            direct.send(orders, number)
            assert next(events).payload == number
            old, session.access = session.access, make_token(owner)
            UserSession.objects.filter(pk=AccessToken(old)["session"]).update(ended_at=timezone.now())
        session.access = old
        with caplog.at_level(logging.INFO, "eventflow_client"), pytest.raises(problems.InvalidCredentials):
            next(events)
    assert "cut off" not in caplog.text


def test_what_may_not_be_read_is_refused_at_once(direct):
    with pytest.raises(problems.StreamNotFound):
        next(direct.streams.follow("nothing"))


def test_where_nobody_answers_at_the_beginning_it_gives_up(web, key):
    quick = Retries(total_seconds=0.5)
    with EventFlow("http://127.0.0.1:9", key=key, retries=quick) as client, pytest.raises(NoAnswer):
        next(client.streams.follow("demo"))


def test_whoever_has_enough_hangs_up(web, key, orders):
    with EventFlow(web.url, key=key, connections=1, retries=Retries(total_seconds=1)) as client:
        client.send(orders, 1)
        for _ in client.streams.follow(orders, last_offset=0):
            break

        # The only connection is free again.
        assert client.send(orders, 2).offset == 2


def test_asyncio_has_the_same(web, key, orders):
    async def work() -> list:
        async with AsyncEventFlow(web.url, key=key, connections=2) as client:
            found = []
            await client.send(orders, "there")
            async with aclosing(client.streams.follow(orders, last_offset="earliest")) as events:
                async for event in events:
                    found.append(event.payload)
                    if event.payload == "new":
                        return found
                    await client.send(orders, "new")
            raise AssertionError

    assert asyncio.run(work()) == ["there", "new"]


def test_a_client_that_is_closed_ends_it(web, key, orders):
    client = EventFlow(web.url, key=key)
    events = client.streams.follow(orders, last_offset="earliest")
    client.send(orders, 1)
    next(events)
    client.close()

    began = time.monotonic()
    with pytest.raises(Exception, match="closed"):
        next(events)
    assert time.monotonic() - began < 30


def test_a_client_that_is_closed_elsewhere_ends_it_at_once_and_as_no_cut(web, key, orders, caplog):
    client = EventFlow(web.url, key=key)
    told: list[object] = []

    def follow() -> None:
        try:
            for event in client.streams.follow(orders, last_offset="earliest"):
                told.append(event.payload)
        except Closed as error:
            told.append(error)

    thread = threading.Thread(target=follow)
    with caplog.at_level(logging.INFO, "eventflow_client"):
        thread.start()
        client.send(orders, 1)
        wait_for("the event", lambda: told)
        client.close()
        # Sooner than the server would say anything.
        thread.join(5)

    assert not thread.is_alive()
    assert (told[0], type(told[1])) == (1, Closed)
    assert "cut off" not in caplog.text


def test_a_client_that_is_closed_takes_no_answer_from_a_thread_that_waits(web, key, direct, orders):
    client = EventFlow(web.url, key=key, retries=Retries(total_seconds=0))
    read: list[object] = []
    thread = threading.Thread(target=lambda: read.append(next(client.streams.read(orders, wait_seconds=5)).payload))
    thread.start()
    # There is nothing to read yet.
    time.sleep(0.5)
    client.close()
    direct.send(orders, "late")
    thread.join(20)

    assert read == ["late"]
    with pytest.raises(Closed):
        client.send(orders, 1)


# --- what is on the wire ---

SAID = (
    b'retry: 1500\nid: 0=0\n\nid: 0=1\ndata: {"a":\ndata: 1}\n\n:\n\nevent: gap\r\ndata: {}\r\n\r\nid: 0=2\ndata: cut'
)


@pytest.mark.parametrize("size", [1, 2, 7, len(SAID)])
def test_messages_are_the_same_however_they_are_cut_into_pieces(size):
    stream = EventStream()

    messages = [each for at in range(0, len(SAID), size) for each in stream.feed(SAID[at : at + size])]

    assert [(each.kind, each.data, each.place, each.retry_seconds) for each in messages] == [
        ("message", None, "0=0", 1.5),
        ("message", b'{"a":\n1}', "0=1", None),
        ("message", None, None, None),
        ("gap", b"{}", None, None),
    ]


def test_lines_end_with_lf_alone():
    (message,) = EventStream().feed("data: a\u2028b\x0bc\n\n".encode())

    assert message.data == "a\u2028b\x0bc".encode()
