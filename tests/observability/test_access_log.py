"""One line for each request."""

import json
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import ResolverMatch
from django.utils.functional import SimpleLazyObject

from accounts.caller import Caller
from accounts.key_material import make_key
from accounts.roles import Role
from observability.telemetry import access_log as middleware
from observability.telemetry.access_log import AccessLogMiddleware


class Lines:
    """Stands where the log writer stands, and keeps what it is given."""

    def __init__(self):
        self.raw = []

    def write(self, line):
        self.raw.append(line)

    def only(self) -> dict:
        [line] = self.raw
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        return json.loads(line)


@pytest.fixture
def lines(monkeypatch, settings):
    settings.LOG_FORMAT, settings.LOG_LEVEL = "json", "INFO"
    kept = Lines()
    monkeypatch.setattr(middleware, "log_writer", lambda: kept)
    return kept


def serve(request: WSGIRequest, view=None) -> Any:
    return AccessLogMiddleware(view or (lambda _: HttpResponse(b"{}", status=202)))(request)


def test_a_request_leaves_one_line_with_id_caller_route_status_and_duration(lines):
    request = RequestFactory().post("/api/v1/streams/orders/events?api_key=hunter2")
    request.request_id = "request-1"

    def view(request):
        request.resolver_match = ResolverMatch(view, (), {}, route="api/v1/streams/<stream>/events")
        request.user = Caller(user_id=7, email="a@example.com", roles=frozenset({Role.PRODUCER}), key_id="abc")
        return HttpResponse(status=202)

    serve(request, view)

    line = lines.only()
    assert line["request_id"] == "request-1"
    assert line["caller"] == "key:abc"
    assert line["method"] == "POST"
    assert line["route"] == "api/v1/streams/<stream>/events"
    assert line["path"] == "/api/v1/streams/orders/events"
    assert line["status"] == 202
    assert line["level"] == "info"
    assert 0 <= line["duration_seconds"] < 60
    assert "hunter2" not in lines.raw[0].decode()


def test_looking_for_the_caller_never_loads_a_user(lines):
    def load():
        raise AssertionError("loaded")

    request = RequestFactory().get("/")
    request.user = SimpleLazyObject(load)

    serve(request)

    assert lines.only()["caller"] is None


@pytest.mark.parametrize(
    "path",
    ["/a\x1b[2J", "/a\nb", "/\u202eb", "/\x9b1m", "/{key}", "/" + "x" * 10_000],
    ids=lambda path: ascii(path[:8]),
)
def test_a_hostile_path_stays_in_its_place(lines, path):
    path = path.replace("{key}", make_key()[0])
    request = RequestFactory().get("/")
    request.path_info = path

    serve(request)

    text = lines.raw[0].decode()
    assert path not in text
    assert text.rstrip("\n").isprintable()
    assert len(text) < 1000
    assert lines.only()["path"].startswith("/")


def test_a_server_error_is_logged_as_an_error(lines):
    serve(RequestFactory().get("/"), lambda _: HttpResponse(status=503))

    assert lines.only()["level"] == "error"


def test_a_slow_request_is_flagged(lines, settings):
    settings.SLOW_REQUEST_SECONDS = -1

    serve(RequestFactory().get("/"))

    assert lines.only()["slow"] is True
    assert lines.only()["level"] == "warning"


def test_time_spent_waiting_for_events_is_not_slow(lines, settings):
    settings.SLOW_REQUEST_SECONDS = -1
    request = RequestFactory().get("/")
    request.waited_seconds = 30.0

    serve(request)

    assert "slow" not in lines.only()
    assert lines.only()["waited_seconds"] == 30.0


def test_a_terminal_gets_a_line_to_read(lines, settings):
    settings.LOG_FORMAT = "pretty"

    serve(RequestFactory().get("/api/v1/streams"))

    assert "GET /api/v1/streams 202" in lines.raw[0].decode()
