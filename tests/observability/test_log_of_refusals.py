"""The line of a refused request says why, whichever way the request went."""

import asyncio
import json
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client

from eventflow_site.front.door import Door
from observability.telemetry import access_log
from tests.factories import make_key, make_owner, make_stream
from tests.site.test_hot_lane import Exchange

pytestmark = pytest.mark.usefixtures("db_with_commits")

EVENTS = "/api/v1/streams/orders/events"


class Writer:
    """Stands where the log writer stands, and keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, line: bytes) -> None:
        self.lines.append(json.loads(line))


@pytest.fixture
def lines(monkeypatch, settings):
    settings.LOG_FORMAT, settings.LOG_LEVEL = "json", "INFO"
    writer = Writer()
    monkeypatch.setattr(access_log, "log_writer", lambda: writer)
    return writer.lines


@pytest.fixture
def owner():
    owner = make_owner()
    make_stream("orders", owner=owner)
    return owner


def ask_door(exchange: Exchange) -> Any:
    async def main() -> Any:
        return await Door(handler=WSGIHandler()).answer(exchange)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", EVENTS, b'{"payload": 1, "nope": 2}', "invalid_events"),
        ("POST", "/api/v1/streams/nowhere/events", b'{"payload": 1}', "stream_not_found"),
        ("POST", "/api/v1/streams", b"[1", "invalid_json"),
        ("PUT", "/api/v1/streams", b"", "method_not_allowed"),
        ("GET", "/api/v1/nothing", b"", "not_found"),
        ("FROB", "/api/v1/streams", b"", "method_not_allowed"),
        ("GET", "/api/v1/streams?" + "x" * 9_000, b"", "uri_too_long"),
    ],
)
def test_a_refusal_of_the_api_says_its_code(lines, owner, method, path, body, code):
    answer = ask_door(Exchange(method, path, body, x_api_key=make_key(owner)))

    assert json.loads(answer.content)["code"] == code
    assert [(line["status"], line["code"]) for line in lines] == [(answer.status, code)]


def test_a_refusal_of_a_page_says_it_too(lines, owner):
    browser = Client()
    browser.force_login(owner)

    assert browser.get("/streams/nowhere").status_code == 404
    assert browser.post("/streams/new", {"name": "NO NAME", "partitions": "1"}).status_code == 422
    assert [line["code"] for line in lines] == ["stream_not_found", "invalid_request"]


def test_what_is_no_refusal_says_none(lines, owner):
    key = make_key(owner)

    assert ask_door(Exchange("POST", EVENTS, b'{"payload": 1}', x_api_key=key)).status == 202
    assert ask_door(Exchange("GET", "/api/v1/streams", x_api_key=key)).status == 200
    assert len(lines) == 2
    assert all("code" not in line for line in lines)
