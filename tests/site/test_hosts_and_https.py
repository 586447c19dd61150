"""By which names the site answers, and over what: the same at every door."""

import pytest
from django.test import Client

from tests.factories import make_key, make_owner, make_stream
from tests.site.test_hot_lane import Exchange, ask_lane

pytestmark = pytest.mark.usefixtures("db_with_commits")

API = "/api/v1/streams"
EVENTS = "/api/v1/streams/orders/events"


@pytest.fixture
def key():
    owner = make_owner()
    make_stream("orders", owner=owner)
    return make_key(owner)


@pytest.mark.parametrize("path", [API, EVENTS, "/api/v1/openapi.json", "/api/v1/nothing", "/metrics"])
@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "localhost:80:80", "local host", "[::1"]
)
def test_a_name_that_is_not_ours_is_refused(key, path, host):
    answer = Client().get(path, HTTP_HOST=host, HTTP_X_API_KEY=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")
    if host:
        assert host not in answer.content.decode()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "[::1]:80"])
def test_our_names_are_answered_with_any_port(key, host):
    assert Client().get(API, HTTP_HOST=host, HTTP_X_API_KEY=key).status_code == 200


def test_the_event_loop_asks_for_the_name_as_well(key):
    assert ask_lane(Exchange("GET", EVENTS, x_api_key=key, host="evil.example")).status == 400
    assert ask_lane(Exchange("GET", EVENTS, x_api_key=key, host="localhost")).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_come_by_address(path):
    assert Client().get(path, HTTP_HOST="10.1.2.3:8000").status_code in (200, 503)


def test_who_knows_the_token_may_scrape_by_any_name(settings):
    settings.METRICS_TOKEN = "s3cret"
    assert Client().get("/metrics", HTTP_HOST="10.1.2.3", HTTP_AUTHORIZATION="Bearer s3cret").status_code == 200


@pytest.mark.parametrize("path", [API, EVENTS])
def test_the_api_is_refused_over_plain_http_where_https_is_a_must(settings, key, path):
    settings.SECURE_SSL_REDIRECT = True
    refused = Client().get(path, HTTP_X_API_KEY=key)
    assert (refused.status_code, refused.json()["code"]) == (403, "https_required")
    assert Client().get(path, HTTP_X_API_KEY=key, secure=True).status_code == 200


def test_the_event_loop_knows_what_it_came_over(settings, key):
    settings.SECURE_SSL_REDIRECT = True
    assert ask_lane(Exchange("GET", EVENTS, x_api_key=key)).status == 403
    over_tls = Exchange("GET", EVENTS, x_api_key=key)
    over_tls.scheme = "https"
    assert ask_lane(over_tls).status == 200


def test_probes_and_scrapes_stay_on_plain_http(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.METRICS_TOKEN = "s3cret"
    assert Client().get("/healthz").status_code == 200
    assert Client().get("/metrics", HTTP_AUTHORIZATION="Bearer s3cret").status_code == 200


def test_machines_answers_say_what_pages_say(settings, key):
    settings.SECURE_HSTS_SECONDS = 600
    for path in (API, EVENTS, "/api/v1/nothing", "/healthz"):
        plain = Client().get(path, HTTP_X_API_KEY=key)
        secure = Client().get(path, HTTP_X_API_KEY=key, secure=True)
        assert plain["X-Content-Type-Options"] == secure["X-Content-Type-Options"] == "nosniff"
        assert "Strict-Transport-Security" not in plain
        assert secure["Strict-Transport-Security"].startswith("max-age=600")


def test_what_is_told_to_somebody_is_kept_by_nobody(key):
    body = {"email": "ada@example.com", "password": "wrong"}
    for answer in (
        Client().post("/api/v1/auth/login", body, content_type="application/json"),
        Client().get("/api/v1/api-keys", HTTP_X_API_KEY=key),
        Client().get(EVENTS, HTTP_X_API_KEY=key),
    ):
        assert answer["Cache-Control"] == "no-store"
