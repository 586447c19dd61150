"""Browsers on sites that are listed may use the API, by both lanes; all others are told nothing."""

import os
import subprocess
import sys

import pytest

from tests.conftest import delete_everything
from tests.factories import make_key, make_owner, make_stream
from tests.web_server import WebServer, exchange

pytestmark = pytest.mark.processes

SHOP, DEVELOPER, STRANGER = "https://shop.example", "http://localhost:5173", "https://evil.example"
# The first goes by the event loop, the second by Django's threads.
ADDRESSES = pytest.mark.parametrize("path", ["/api/v1/streams/orders/events", "/api/v1/streams"])


@pytest.fixture(scope="module")
def key(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        owner = make_owner()
        make_stream("orders", owner=owner)
        yield make_key(owner)
        delete_everything()


@pytest.fixture(scope="module")
def web(key):
    with WebServer(EVENTFLOW_CORS_ORIGINS=f"{SHOP}, {DEVELOPER}") as server:
        yield server


def ask(web, method, path, *lines):
    return exchange(web, "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode())


def cors_headers(answer):
    return {name for name in answer.headers if name.lower().startswith("access-control-")}


@ADDRESSES
@pytest.mark.parametrize("origin", [SHOP, DEVELOPER])
def test_a_listed_site_may_read_answers_and_their_headers(web, key, path, origin):
    answer = ask(web, "GET", path, f"X-API-Key: {key}", f"Origin: {origin}")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "EventFlow-Next-Offset", "Idempotent-Replayed", "Retry-After", "X-Request-Id"} <= {*exposed}
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


@ADDRESSES
def test_a_listed_site_may_read_refusals_too(web, path):
    for method, status in (("GET", 401), ("BREW", 405)):
        answer = ask(web, method, path, f"Origin: {SHOP}")
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, SHOP)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/streams/orders/events", "GET, HEAD, POST"),
        ("/api/v1/streams", "GET, HEAD, POST"),
        ("/api/v1/events", "POST"),
    ],
)
def test_a_preflight_says_what_may_be_sent(web, path, methods):
    answer = ask(web, "OPTIONS", path, f"Origin: {SHOP}", "Access-Control-Request-Method: POST")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert answer.headers["Access-Control-Allow-Methods"] == methods
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key", "If-Match", "X-API-Key"} <= {
        *allowed
    }
    assert answer.headers["Access-Control-Max-Age"] == "600"


def test_every_header_that_the_document_names_may_be_sent_and_read(web, key):
    operations = [
        operation
        for path in ask(web, "GET", "/api/v1/openapi.json").json()["paths"].values()
        for operation in path.values()
    ]
    sent = {
        each["name"] for operation in operations for each in operation.get("parameters", ()) if each["in"] == "header"
    }
    told = {
        name
        for operation in operations
        for answer in operation["responses"].values()
        for name in answer.get("headers", ())
    }
    preflight = ask(web, "OPTIONS", "/api/v1/events", f"Origin: {SHOP}", "Access-Control-Request-Method: POST")
    answer = ask(web, "GET", "/api/v1/streams", f"X-API-Key: {key}", f"Origin: {SHOP}")

    assert sent <= {*preflight.headers["Access-Control-Allow-Headers"].split(", ")}
    assert told | {"Location"} <= {*answer.headers["Access-Control-Expose-Headers"].split(", ")}


def test_the_attributes_of_a_cloudevent_may_be_sent(web):
    asked = "Access-Control-Request-Headers: ce-id,ce-myextension, Content-Type,x-evil,ce-bad_name"
    answer = ask(web, "OPTIONS", "/api/v1/events", f"Origin: {SHOP}", "Access-Control-Request-Method: POST", asked)
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"ce-id", "ce-myextension", "Content-Type"} <= {*allowed}
    assert not {"x-evil", "ce-bad_name"} & {*allowed}


@ADDRESSES
@pytest.mark.parametrize(
    "origin",
    [STRANGER, "null", "*", "https://SHOP.example", "https://shop.example.evil.example", "http://shop.example"],
)
def test_any_other_site_is_told_nothing(web, key, path, origin):
    answer = ask(web, "GET", path, f"X-API-Key: {key}", f"Origin: {origin}")
    assert (answer.status_code, cors_headers(answer)) == (200, set())
    # What a cache keeps of this is not what the shop would get.
    assert "Origin" in answer.headers["Vary"]
    preflight = ask(web, "OPTIONS", path, f"Origin: {origin}", "Access-Control-Request-Method: POST")
    assert (preflight.status_code, cors_headers(preflight)) == (405, set())


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/healthz", "/metrics", "/api/v1/docs"])
def test_only_the_api_is_for_other_sites(web, path):
    for method in ("GET", "OPTIONS"):
        answer = ask(web, method, path, f"Origin: {SHOP}", "Access-Control-Request-Method: GET")
        assert cors_headers(answer) == set()


def test_options_without_a_preflight_is_no_method(web):
    assert ask(web, "OPTIONS", "/api/v1/streams", f"Origin: {SHOP}").status_code == 405


def test_without_the_setting_no_site_may(key, shared_web):
    answer = ask(shared_web, "GET", "/api/v1/streams", f"X-API-Key: {key}", f"Origin: {SHOP}")
    assert (answer.status_code, cors_headers(answer)) == (200, set())
    preflight = ask(shared_web, "OPTIONS", "/api/v1/streams", f"Origin: {SHOP}", "Access-Control-Request-Method: GET")
    assert preflight.status_code == 405


@pytest.mark.parametrize(
    "given",
    [
        "*",
        "null",
        "shop.example",
        "https://shop.example/",
        "https://shop.example:443",
        f"{SHOP},*",
        "https://*.example",
    ],
)
def test_what_is_no_origin_stops_the_start(given):
    env = {**os.environ, "EVENTFLOW_CORS_ORIGINS": given}
    done = subprocess.run([sys.executable, "manage.py", "check"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "EVENTFLOW_CORS_ORIGINS is" in done.stderr
    assert "never *" in done.stderr
