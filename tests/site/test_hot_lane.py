"""The hot lane is a short cut, not another door: a request is answered there as through Django's own handler."""

import gc
import io
import weakref
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.test import RequestFactory

from eventflow_site.hot_lane import HotLane
from tests.factories import make_group, make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")

JSON = "application/json"
WORKERS = "/api/v1/streams/orders/consumer-groups/workers"
ACK = b'{"deliveries": [{"delivery_id": 1, "lease_token": "01890a5d-ac96-774b-bcce-b302099a8057"}]}'
EVENT = b'{"payload": 1, "id": "one"}'
# Differ from request to request, or are what Django adds for pages and API alike.
VARYING = {"X-Request-Id"}


class Answer:
    """What a web server is told: status, headers and body."""

    def __init__(self, application: Any, environ: dict[str, Any]) -> None:
        body = application({**environ, "wsgi.input": io.BytesIO(environ["body"])}, self)
        assert body is not None, "left to Django"
        self.body = b"".join(body)

    def __call__(self, status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        self.status = status
        self.headers = {name: value for name, value in headers if name not in VARYING}
        assert {name for name, _ in headers} >= VARYING


@pytest.fixture
def lane() -> HotLane:
    return HotLane()


@pytest.fixture
def key() -> str:
    owner = make_owner()
    orders = make_stream("orders", owner=owner)
    make_group(orders, "readers")
    make_group(orders, "workers", mode="lease")
    make_stream("paused", owner=owner, is_paused=True)
    return make_key(owner)


def environ_of(method: str, path: str, body: bytes = b"", **headers: str) -> dict[str, Any]:
    content_type = headers.pop("content_type", JSON)
    request = RequestFactory().generic(method, path, body, content_type, headers=headers)
    return {**request.environ, "body": body}


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
        ("POST", "/api/v1/streams/orders/consumer-groups/readers/lease", b"{}", JSON),
    ],
)
def test_the_answer_is_that_of_djangos_handler(lane, key, method, path, body, content_type):
    environ = environ_of(method, path, body, content_type=content_type, x_api_key=key)
    environ["HTTP_X_REQUEST_ID"] = "the-same-for-both"

    short, long = Answer(lane, environ), Answer(get_wsgi_application(), environ)

    assert (short.status, short.body) == (long.status, long.body)
    assert short.headers == long.headers


def test_a_caller_without_a_key_is_refused(lane):
    answer = Answer(lane, environ_of("POST", "/api/v1/events", EVENT))

    assert answer.status.startswith("401")
    assert b'"code":"credentials_missing"' in answer.body


def test_what_is_appended_in_the_lane_is_read_in_the_lane(lane, key):
    path = "/api/v1/streams/orders/events"

    stored = Answer(lane, environ_of("POST", path, EVENT, x_api_key=key))
    read = Answer(lane, environ_of("GET", f"{path}?last_offset=0", x_api_key=key))

    assert (stored.status[:3], read.status[:3]) == ("202", "200")
    assert b'"id":"one"' in read.body
    assert read.headers["EventFlow-Next-Offset"] == "1"


def test_the_connection_goes_back_after_each_request(lane, key):
    Answer(lane, environ_of("GET", "/api/v1/streams/orders/events", x_api_key=key))

    assert connection.connection is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/streams/orders/events", EVENT),
        ("POST", "/api/v1/streams/orders/events", b'{"nope": 1}'),
        ("GET", "/api/v1/streams/orders/events?last_offset=0", b""),
        ("POST", f"{WORKERS}/lease", b"{}"),
        ("POST", f"{WORKERS}/ack", ACK),
    ],
)
def test_what_a_request_held_is_free_without_a_garbage_collection(lane, key, method, path, body):
    environ = environ_of(method, path, body, x_api_key=key)
    Answer(lane, environ)
    gc.collect()
    gc.disable()
    try:
        body = weakref.ref(stream := io.BytesIO(environ["body"]))
        lane({**environ, "wsgi.input": stream}, lambda *_: None)
        del stream
        assert body() is None
    finally:
        gc.enable()


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
    ],
)
def test_any_other_address_is_left_to_django(lane, path):
    assert lane({"PATH_INFO": path}, None) is None


def test_under_a_prefix_django_takes_the_address_apart(lane):
    assert lane({"PATH_INFO": "/api/v1/events", "SCRIPT_NAME": "/eventflow"}, None) is None


class Witness:
    """Middleware that notes who passes."""

    seen: list[str] = []

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        self.seen.append(request.path)
        return self.get_response(request)


def test_the_lane_has_whatever_middleware_a_machines_request_passes_in_django(key, settings):
    settings.MIDDLEWARE = [f"{__name__}.Witness", *settings.MIDDLEWARE, f"{__name__}.Witness"]

    Answer(HotLane(), environ_of("POST", "/api/v1/streams/orders/events", EVENT, x_api_key=key))

    assert Witness.seen == ["/api/v1/streams/orders/events"]


def test_a_defect_is_a_problem_with_a_request_id_and_no_page(lane, key, monkeypatch):
    environ = environ_of("POST", "/api/v1/events", EVENT, x_api_key=key)
    monkeypatch.setattr("eventflow_site.transport.refusal_of", lambda request: 1 / 0)

    answer = Answer(lane, environ)

    assert answer.status.startswith("500")
    assert answer.headers["Content-Type"] == "application/problem+json"
