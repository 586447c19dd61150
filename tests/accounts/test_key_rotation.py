"""A key is handed over to its successor: both work during the overlap, and then the old one is refused."""

import time
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.utils import timezone

from accounts.models import ApiKey, User
from accounts.services.authenticate_key import forget_keys
from tests.client import ApiClient
from tests.factories import make_owner, make_stream, make_token
from tests.scenarios.http import Server
from tests.threads import in_threads
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

OVERLAP_SECONDS = 4
EVENTS = "/streams/orders/events?last_offset=0"


@pytest.fixture
def owner() -> User:
    owner = make_owner()
    make_stream("orders", owner=owner)
    make_stream("invoices", owner=owner)
    return owner


@pytest.fixture
def person(owner: User) -> ApiClient:
    return ApiClient(token=make_token(owner))


def status_of(secret: str, path: str = EVENTS) -> int:
    return int(ApiClient(key=secret).get(path).status_code)


def test_the_old_key_works_during_the_overlap_on_every_worker_and_is_refused_within_a_second_after_it(owner):
    with WebServer(workers=2) as web:
        person = Server(web.port, Authorization=f"Bearer {make_token(owner)}")
        old = person.ok("POST", "/api-keys", {"name": "shop", "scopes": ["consume"]})
        new = person.ok("POST", f"/api-keys/{old['id']}/rotate", {"overlap_seconds": OVERLAP_SECONDS})
        listed = {key["id"]: key for key in person.ok("GET", "/api-keys")["data"]}
        end = datetime.fromisoformat(listed[old["id"]]["expires_at"]).timestamp()
        assert 0 < end - time.time() <= OVERLAP_SECONDS

        def use(secret: str) -> list[tuple[float, int, float]]:
            """Ask again and again, beyond the end: when it was sent, what was told, and when that came."""
            told = []
            while (sent := time.time()) < end + 2:
                # A new connection each time: both workers get some.
                status, _ = Server(web.port, X_API_Key=secret).call("GET", EVENTS)
                told.append((sent, status, time.time()))
            return told

        before, after = in_threads([partial(use, old["secret"]), partial(use, new["secret"])])

    assert {status for _, status, _ in after} == {200}
    assert {status for _, status, _ in before} == {200, 401}
    # Never too early, and never later than a second: what is remembered of it ends as well.
    assert {status for _, status, came in before if came < end} == {200}
    assert {status for sent, status, _ in before if sent >= end + 1} == {401}
    assert min(sum(came < end for _, _, came in before), sum(sent >= end + 1 for sent, _, _ in before)) > 10


def test_a_key_that_was_revoked_on_a_server_whose_clock_is_ahead_is_refused_at_once(person, monkeypatch):
    rotated, revoked = (person.post("/api-keys", {"name": name, "scopes": ["consume"]}).json() for name in ("a", "b"))
    assert (status_of(rotated["secret"]), status_of(revoked["secret"])) == (200, 200)
    right_time = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right_time() + timedelta(minutes=5))

    assert person.post(f"/api-keys/{rotated['id']}/rotate", {"overlap_seconds": 0}).status_code == 201
    assert person.delete(f"/api-keys/{revoked['id']}").status_code == 204

    assert (status_of(rotated["secret"]), status_of(revoked["secret"])) == (401, 401)


def test_without_an_overlap_the_old_key_is_refused_at_once(person):
    old = person.post("/api-keys", {"name": "shop", "scopes": ["consume"]}).json()
    assert status_of(old["secret"]) == 200

    new = person.post(f"/api-keys/{old['id']}/rotate", {"overlap_seconds": 0}).json()

    assert (status_of(old["secret"]), status_of(new["secret"])) == (401, 200)
    again = person.post(f"/api-keys/{old['id']}/rotate", {"overlap_seconds": 0})
    assert (again.status_code, again.json()["code"]) == (409, "api_key_revoked")


def test_the_successor_may_do_what_the_old_key_might_and_no_more(person):
    old = person.post("/api-keys", {"name": "shop", "scopes": ["consume"], "streams": ["orders"]}).json()
    new = person.post(f"/api-keys/{old['id']}/rotate", {"overlap_seconds": 60}).json()

    assert {name: new[name] for name in ("name", "scopes", "streams", "user")} == {
        name: old[name] for name in ("name", "scopes", "streams", "user")
    }
    assert new["id"] != old["id"]
    for secret in (old["secret"], new["secret"]):
        assert status_of(secret) == 200
        assert status_of(secret, "/streams/invoices/events?last_offset=0") == 404
        refused = ApiClient(key=secret).post("/events", {"stream": "orders", "payload": 1})
        assert refused.status_code == 403


def test_an_overlap_does_not_make_a_key_live_longer(person):
    soon = (timezone.now() + timedelta(seconds=300)).isoformat()
    old = person.post("/api-keys", {"name": "shop", "scopes": ["consume"], "expires_at": soon}).json()
    new = person.post(f"/api-keys/{old['id']}/rotate", {"overlap_seconds": 600}).json()

    (listed,) = [key for key in person.get("/api-keys").json()["data"] if key["id"] == old["id"]]
    assert listed["expires_at"] == old["expires_at"] == new["expires_at"]
    assert (status_of(old["secret"]), status_of(new["secret"])) == (200, 200)
    ApiKey.objects.update(expires_at=timezone.now())
    forget_keys()
    assert (status_of(old["secret"]), status_of(new["secret"])) == (401, 401)


def test_revoking_the_old_key_ends_its_overlap(person):
    old = person.post("/api-keys", {"name": "shop", "scopes": ["consume"]}).json()
    new = person.post(f"/api-keys/{old['id']}/rotate", {"overlap_seconds": 600}).json()
    assert (status_of(old["secret"]), status_of(new["secret"])) == (200, 200)

    assert person.delete(f"/api-keys/{old['id']}").status_code == 204

    assert (status_of(old["secret"]), status_of(new["secret"])) == (401, 200)
