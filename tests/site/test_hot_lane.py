"""The hot lane is a short cut, not another door: a request is answered there as through Django's own handler."""

import asyncio
import gc
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Iterable
from typing import Any

import orjson
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from django.http.response import HttpResponseBase
from django.test import Client

from accounts.authentication import find_sender
from accounts.http.both_doors import BothDoors, Passage
from accounts.limits import rates
from accounts.limits.buckets import Rate
from accounts.limits.places import Places
from accounts.limits.rates import Rates
from accounts.models import ApiKey
from consumers.errors import TooManyWaiting
from consumers.services import waiting
from eventflow_site.front.bodies import Bodies
from eventflow_site.front.door import Door
from eventflow_site.front.hot_lane import HotLane, find_hot_view
from eventflow_site.front.requests import FrontRequest, environ_of, wsgi_environ_of
from eventflow_site.transport import is_our_host
from tests.factories import make_group, make_key, make_owner, make_stream, make_token

pytestmark = pytest.mark.usefixtures("db_with_commits")

JSON = "application/json"
WORKERS = "/api/v1/streams/orders/consumer-groups/workers"
READERS = "/api/v1/streams/orders/consumer-groups/readers"
ACK = b'{"deliveries": [{"delivery_id": 1, "lease_token": "01890a5d-ac96-774b-bcce-b302099a8057"}]}'
EVENT = b'{"payload": 1, "id": "one"}'
# Differ from request to request.
VARYING = {"X-Request-Id"}


class Exchange:
    """A request as a web server has it, all there from the beginning, whose client stays."""

    http_version, scheme, client, server = "1.1", "http", "127.0.0.1:4711", "localhost:8000"

    def __init__(self, method: str, target: str, body: bytes = b"", **headers: str) -> None:
        self.method = method
        self.path, _, self.query_string = target.partition("?")
        self.content = [body]
        headers = {"host": "localhost", "content_type": JSON, "content_length": str(len(body))} | headers
        self.headers = [(name.replace("_", "-"), value) for name, value in headers.items()]

    def header_items(self) -> Iterable[tuple[str, str]]:
        return self.headers

    def header_names(self) -> Iterable[str]:
        return [name for name, _ in self.headers]

    async def body(self) -> AsyncIterator[bytes]:
        for piece in self.content:
            yield piece

    async def hung_up(self) -> None:
        await asyncio.Event().wait()


class Told:
    """What a web server is told: status, headers and body."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.body = status, body
        self.headers = {name: value for name, value in headers if name not in VARYING}
        assert {name for name, _ in headers} >= VARYING


def ask_lane(*exchanges: Exchange) -> Told:
    """Send requests one after the other through the door of a web worker; return the last answer."""

    async def main() -> Any:
        door = Door(handler=None)  # type: ignore[arg-type]
        for exchange in exchanges:
            assert find_hot_view(exchange.method, exchange.path), "left to Django"
            answer = await door.answer(exchange)
        return answer

    answer = asyncio.run(main())
    return Told(answer.status, answer.headers, answer.content)


def ask_django(exchange: Exchange) -> Told:
    environ = wsgi_environ_of(FrontRequest(exchange, Bodies()).environ, b"".join(exchange.content))
    told: list[Any] = []
    application: Any = get_wsgi_application()
    response = application(environ, lambda status, headers: told.extend((status, headers)))
    return Told(int(told[0].split()[0]), told[1], b"".join(response))


@pytest.fixture
def key() -> str:
    owner = make_owner()
    orders = make_stream("orders", owner=owner)
    make_group(orders, "readers")
    make_group(orders, "workers", mode="lease")
    make_stream("paused", owner=owner, is_paused=True)
    return make_key(owner)


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type"),
    [
        ("POST", "/api/v1/streams/nowhere/events", EVENT, JSON),
        ("POST", "/api/v1/streams/paused/events", EVENT, JSON),
        ("POST", "/api/v1/streams/UPPER/events", EVENT, JSON),
        ("POST", "/api/v1/streams/orders/events", b"", JSON),
        ("POST", "/api/v1/streams/orders/events", b"[1", JSON),
        ("POST", "/api/v1/streams/orders/events", b'{"payload": 1, "nope": 2}', JSON),
        ("POST", "/api/v1/streams/orders/events", EVENT, "text/plain"),
        ("POST", "/api/v1/streams/orders/events?x=1", EVENT, JSON),
        ("POST", "/api/v1/events", EVENT, JSON),
        ("GET", "/api/v1/events", b"", JSON),
        ("OPTIONS", "/api/v1/events", b"", JSON),
        ("DELETE", "/api/v1/streams/orders/events", b"", JSON),
        ("GET", "/api/v1/streams/orders/events", b"", JSON),
        ("HEAD", "/api/v1/streams/orders/events", b"", JSON),
        ("GET", "/api/v1/streams/orders/events?consumer_group_id=readers&last_offset=0", b"", JSON),
        ("GET", "/api/v1/streams/orders/events?consumer_group_id=none", b"", JSON),
        ("GET", "/api/v1/streams/orders/events?limit=0", b"", JSON),
        ("POST", f"{WORKERS}/lease", b"{}", JSON),
        ("POST", f"{WORKERS}/lease", b'{"max_events": 0}', JSON),
        ("POST", f"{WORKERS}/ack", ACK, JSON),
        ("POST", f"{WORKERS}/nack", b"", JSON),
        ("POST", f"{WORKERS}/extend", ACK, JSON),
        ("POST", f"{WORKERS}/release", ACK, JSON),
        ("GET", f"{WORKERS}/ack", b"", JSON),
        ("POST", f"{READERS}/offsets", b'{"offset": 0}', JSON),
        ("POST", f"{READERS}/offsets", b'{"offset": 9}', JSON),
        ("POST", f"{READERS}/offsets", b'{"offset": "0"}', JSON),
        ("POST", f"{READERS}/offsets", b'{"offset": 0, "nope": 1}', JSON),
        ("POST", f"{READERS}/offsets", b"{}", JSON),
        ("POST", f"{READERS}/offsets", b"[]", JSON),
        ("POST", f"{READERS}/offsets", b"", JSON),
        ("POST", f"{READERS}/offsets?x=1", b'{"offset": 0}', JSON),
        ("POST", f"{READERS}/offsets", b'{"offset": 0}', "text/plain"),
        ("POST", f"{WORKERS}/offsets", b'{"offset": 0}', JSON),
        ("GET", f"{READERS}/offsets", b"", JSON),
        ("GET", f"{READERS}/offsets?x=1", b"", JSON),
        ("DELETE", f"{READERS}/offsets", b"", JSON),
        ("GET", "/api/v1/streams/orders/events?wait=31", b"", JSON),
        ("GET", "/api/v1/streams/orders/events?wait=0.01", b"", JSON),
        ("GET", "/healthz", b"", JSON),
        ("HEAD", "/healthz", b"", JSON),
        ("POST", "/api/v1/streams/orders/consumer-groups/readers/lease", b"{}", JSON),
    ],
)
def test_the_answer_is_that_of_djangos_handler(key, method, path, body, content_type):
    exchange = Exchange(method, path, body, content_type=content_type, x_api_key=key, x_request_id="the-same-for-both")

    short, long = ask_lane(exchange), ask_django(exchange)

    assert (short.status, short.body) == (long.status, long.body)
    assert short.headers == long.headers


def test_a_caller_without_a_key_is_refused():
    answer = ask_lane(Exchange("POST", "/api/v1/events", EVENT))

    assert answer.status == 401
    assert b'"code":"credentials_missing"' in answer.body


@pytest.mark.parametrize("header", ["bearer {}", "BEARER   {}"])
def test_a_token_is_one_however_its_scheme_is_written(header):
    user = make_owner()
    make_stream("orders", owner=user)
    authorization = header.format(make_token(user))
    asked = Exchange("POST", "/api/v1/streams/orders/events", EVENT, authorization=authorization)

    assert ask_lane(asked).status == 202
    assert ask_django(Exchange("GET", "/api/v1/streams", authorization=authorization)).status == 200
    names = asyncio.run(find_sender(FrontRequest(asked, Bodies())))
    assert names == (f"owner:{user.pk}", f"user:{user.pk}")


@pytest.mark.parametrize("header", ["{}", "Token {}", "Bearer\t{}", "bearer", ""])
def test_what_is_no_bearer_header_is_certainly_nobodys(header):
    asked = Exchange("GET", "/", authorization=header.format(make_token(make_owner())))

    assert asyncio.run(find_sender(FrontRequest(asked, Bodies()))) is None


@pytest.mark.parametrize("name", ["x-api-key", "authorization"])
@pytest.mark.parametrize("path", ["/api/v1/streams/orders/events", "/api/v1/streams", "/"])
def test_a_credential_that_is_there_twice_is_none(key, name, path):
    async def main() -> Any:
        exchange = Exchange("GET", path)
        exchange.headers += [(name, key), (name, key)]
        return await Door(handler=None).answer(exchange)  # type: ignore[arg-type]

    answer = asyncio.run(main())

    assert answer.status == 400
    assert b'"code":"ambiguous_credentials"' in answer.content


def test_what_is_appended_in_the_lane_is_read_in_the_lane(key):
    path = "/api/v1/streams/orders/events"

    assert ask_lane(Exchange("POST", path, EVENT, x_api_key=key)).status == 202
    read = ask_lane(Exchange("GET", f"{path}?last_offset=0", x_api_key=key))

    assert read.status == 200
    assert b'"id":"one"' in read.body
    assert read.headers["EventFlow-Next-Offset"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/streams/orders/events", EVENT),
        ("POST", "/api/v1/streams/orders/events", b'{"nope": 1}'),
        ("GET", "/api/v1/streams/orders/events?last_offset=0", b""),
        ("GET", "/api/v1/streams/nowhere/events", b""),
        ("GET", "/api/v1/streams/orders/events?wait=0.01", b""),
        ("POST", f"{WORKERS}/lease", b"{}"),
        ("POST", f"{WORKERS}/ack", ACK),
        ("POST", f"{READERS}/offsets", b'{"offset": 0}'),
        pytest.param("POST", "/api/v1/auth/login", b"{", id="cut off on its way to Django"),
    ],
)
def test_what_a_request_held_is_free_without_a_garbage_collection(key, method, path, body):
    length = "9" if body == b"{" else str(len(body))

    async def main() -> None:
        door = Door(handler=None)  # type: ignore[arg-type]
        await door.answer(Exchange(method, path, body, x_api_key=key, content_length=length))
        gc.disable()
        try:
            exchange = weakref.ref(asked := Exchange(method, path, body, x_api_key=key, content_length=length))
            await door.answer(asked)
            del asked
            # What was called off ends in one of the loop's next rounds; the collector is off, so nothing else frees it.
            for _ in range(500):
                await asyncio.sleep(0.01)
                if exchange() is None:
                    break
            assert exchange() is None
        finally:
            gc.enable()

    asyncio.run(main())


LIVE = "/api/v1/streams/orders/events/live?last_offset=0"
TAIL = "/streams/orders/tail/live?at=0=0"


@pytest.fixture
def who(key) -> dict[str, dict[str, str]]:
    """Whoever may follow, by the address of what they follow: a key, or a page of the same owner."""
    client = Client()
    client.force_login(ApiKey.objects.get().user, "django.contrib.auth.backends.ModelBackend")
    return {LIVE: {"x_api_key": key}, TAIL: {"cookie": f"sessionid={client.cookies['sessionid'].value}"}}


@pytest.mark.parametrize("path", [LIVE, TAIL])
@pytest.mark.parametrize("taken", [0, 1])
def test_an_open_live_stream_holds_a_waiting_place_until_it_is_closed(key, who, path, taken, monkeypatch):
    monkeypatch.setattr(waiting, "_places", Places("waiting", 2, lambda: TooManyWaiting(2)))

    async def main() -> None:
        door = Door(handler=None)  # type: ignore[arg-type]
        opened: list[Any] = [await door.answer(Exchange("GET", path, **who[path])) for _ in range(2)]
        for answer in opened:
            for _ in range(taken):
                assert await anext(answer.content)
        refused: Any = await door.answer(Exchange("GET", path, **who[path]))
        assert (refused.status, orjson.loads(refused.content)["code"]) == (429, "too_many_waiting")
        assert "Retry-After" in dict(refused.headers)
        waits: Any = await door.answer(Exchange("GET", "/api/v1/streams/orders/events?wait=1", x_api_key=key))
        assert waits.status == 429, "polls wait in the same places"
        head: Any = await door.answer(Exchange("HEAD", path, **who[path]))
        assert head.status == 200, "who only asks takes none"
        for answer in opened:
            await answer.content.aclose()
            answer.close()
        again: Any = await door.answer(Exchange("GET", path, **who[path]))
        assert again.status == 200
        again.close()

    asyncio.run(main())


@pytest.mark.parametrize("path", [LIVE, TAIL])
@pytest.mark.parametrize("taken", [0, 1, 2])
def test_what_a_live_stream_held_is_free_without_a_garbage_collection(key, who, path, taken):

    async def follow(door: Door, asked: Exchange) -> None:
        answer = await door.answer(asked)
        pieces: Any = answer.content
        for _ in range(taken):
            assert await anext(pieces)
        await pieces.aclose()
        answer.close()

    async def main() -> None:
        door = Door(handler=None)  # type: ignore[arg-type]
        await door.answer(Exchange("POST", "/api/v1/streams/orders/events", EVENT, x_api_key=key))
        await follow(door, Exchange("GET", path, **who[path]))
        gc.disable()
        try:
            exchange = weakref.ref(asked := Exchange("GET", path, **who[path]))
            await follow(door, asked)
            del asked
            for _ in range(500):
                await asyncio.sleep(0.01)
                if exchange() is None:
                    break
            assert exchange() is None
        finally:
            gc.enable()

    asyncio.run(main())


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1/streams",
        "/api/v1/streams/events",
        "/api/v1/streams/lease",
        "/api/v1/streams/orders/consumer-groups/events",
        "/api/v1/streams//events",
        "/api/v1/streams/a/b/events",
        "/api/v1/streams/orders/events/",
        "/api/v1/streams/orders/events/0/1",
        "/api/v1/streams/ö/events",
        "/api/v1/events/",
        "/api/v1/streams/a\x01/events",
        "/healthz/",
        "/readyz",
    ],
)
def test_any_other_address_is_left_to_django(path):
    assert find_hot_view("GET", path) is None


@pytest.mark.parametrize(
    "look_at",
    [
        lambda text: find_hot_view("GET", f"/api/v1/streams/{text}/events"),
        lambda text: is_our_host(text, ("localhost",)),
        lambda text: environ_of(Exchange("GET", "/", b"", **{text: "1"})),
    ],
    ids=["address", "host", "header's name"],
)
def test_long_texts_of_strangers_do_not_fill_the_memory(look_at):
    tracemalloc.start()
    try:
        for number in range(100):
            look_at(f"{number}-{'x' * 60_000}")
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_other_methods_for_the_address_that_says_alive_are_left_to_django():
    assert find_hot_view("POST", "/healthz") is None


class Witness(BothDoors):
    """Middleware that notes who passes."""

    seen: list[str] = []

    def passage(self, request: Any) -> Passage:
        self.seen.append(request.path)
        response: HttpResponseBase = yield
        return response


class Blocks:
    """Middleware that knows no event loop."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response


def test_the_lane_has_whatever_middleware_a_machines_request_passes_in_django(key, settings):
    settings.MIDDLEWARE = [f"{__name__}.Witness", *settings.MIDDLEWARE, f"{__name__}.Witness"]

    ask_lane(Exchange("POST", "/api/v1/streams/orders/events", EVENT, x_api_key=key))

    assert Witness.seen == ["/api/v1/streams/orders/events"]


def test_middleware_that_would_make_the_loop_stand_still_is_refused_at_the_start(settings):
    settings.MIDDLEWARE = [f"{__name__}.Blocks", *settings.MIDDLEWARE]

    with pytest.raises(ImproperlyConfigured, match="must be a BothDoors"):
        HotLane()


def test_a_defect_is_a_problem_with_a_request_id_and_no_page(key, monkeypatch):
    monkeypatch.setattr("eventflow_site.transport._refusal_of", lambda *_, **__: 1 / 0)

    answer = ask_lane(Exchange("POST", "/api/v1/events", EVENT, x_api_key=key))

    assert answer.status == 500
    assert answer.headers["Content-Type"] == "application/problem+json"


# --- beyond a limit ---------------------------------------------------------------------------------------


def test_a_key_over_its_limit_is_refused_by_the_door_as_by_the_view(monkeypatch):
    """The second refusal is the first one repeated, and tells the same; another key of the same owner is answered."""
    owner = make_owner()
    make_stream("orders", owner=owner)
    limits = Rates(key={"requests": Rate(1, 1)}, owner={}, clock=lambda: 0.0)
    monkeypatch.setattr(rates, "_rates", limits)
    key, other = make_key(owner), make_key(owner)
    target = "/api/v1/streams/orders/events"
    first = Exchange("POST", target, EVENT, x_api_key=key)
    assert ask_lane(first).status == 202
    refused = ask_lane(Exchange("POST", target, EVENT, x_api_key=key))
    again = ask_lane(*[Exchange("POST", target, EVENT, x_api_key=key) for _ in range(2)])
    assert (refused.status, again.status) == (429, 429)
    assert again.headers == refused.headers
    documents = [orjson.loads(told.body) for told in (refused, again)]
    assert [document.pop("request_id") != "" for document in documents] == [True, True]
    assert documents[0] == documents[1]
    assert documents[0]["bucket"] == "requests"
    assert ask_lane(*[Exchange("POST", target, EVENT, x_api_key=each) for each in (key, other)]).status == 202
