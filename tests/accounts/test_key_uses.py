"""What a key is used for can be seen, so that revoking it says what would break; and none of it is on a request's way."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.conf import TOUCHED_KEPT
from accounts.models import ApiKey
from accounts.roles import Right
from accounts.services.authenticate_key import forget_keys
from accounts.services.key_uses import note_key_use, note_touch, write_key_uses
from accounts.services.sessions import Visitor
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_token
from tests.site.hostile import assert_refused
from tests.threads import at_once

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def owner():
    return make_owner()


def as_key(key: str, path: str, *, address: str = "192.0.2.7", agent: str = "worker/1", body: Any = None) -> Any:
    client = Client(raise_request_exception=False, REMOTE_ADDR=address)
    headers = {"X-API-Key": key, "User-Agent": agent}
    if body is None:
        return client.get(f"/api/v1{path}", headers=headers)
    return client.post(f"/api/v1{path}", body, content_type="application/json", headers=headers)


def shown(owner: Any) -> dict[str, Any]:
    (key,) = ApiClient(token=make_token(owner)).get("/api-keys").json()["data"]
    return key


def let_a_minute_pass() -> None:
    ApiKey.objects.update(use_written_at=timezone.now() - timedelta(seconds=61))


def test_a_key_says_when_from_where_by_what_and_on_what_it_was_used(owner):
    stream = make_stream("orders", owner=owner)
    make_group(stream, "billing", owner=owner)
    make_group(stream, "shipping", owner=owner, mode="lease")
    key = make_key(owner)
    assert shown(owner) | {"last_used_at": None, "last_used_address": "", "touched": []} == shown(owner)

    before = timezone.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert as_key(key, "/events", body={"stream": "orders", "payload": 1}).status_code == 202
    assert as_key(key, "/streams/orders/events?consumer_group_id=billing").status_code == 200
    assert as_key(key, "/streams/orders/consumer-groups/shipping/lease", body={}).status_code == 200
    # Neither is touched: one is not there, of the other it was not allowed.
    assert as_key(key, "/streams/nowhere/events").status_code == 404
    assert write_key_uses() == 1

    found = shown(owner)
    assert before <= found["last_used_at"] <= timezone.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert (found["last_used_address"], found["last_used_agent"]) == ("192.0.2.7", "worker/1")
    places = [(each["stream"], each["group"]) for each in found["touched"]]
    assert sorted(places, key=str) == sorted([("orders", None), ("orders", "billing"), ("orders", "shipping")], key=str)
    assert all(before <= each["at"] for each in found["touched"])


def test_a_use_is_written_at_most_once_a_minute_and_none_is_lost(owner):
    make_stream("orders", owner=owner)
    make_stream("payments", owner=owner)
    key = make_key(owner)
    as_key(key, "/streams/orders/events")
    assert [write_key_uses(), write_key_uses()] == [1, 0]
    as_key(key, "/streams/payments/events", address="198.51.100.4")
    assert write_key_uses() == 0
    assert shown(owner)["last_used_address"] == "192.0.2.7"
    let_a_minute_pass()
    assert write_key_uses() == 1
    assert shown(owner)["last_used_address"] == "198.51.100.4"
    assert [each["stream"] for each in shown(owner)["touched"]] == ["payments", "orders"]


def test_what_another_worker_wrote_of_a_later_use_stays(owner):
    make_stream("orders", owner=owner)
    make_stream("payments", owner=owner)
    key = make_key(owner)
    as_key(key, "/streams/orders/events")
    as_key(key, "/streams/payments/events")
    # Meanwhile it is used at another worker, whose turn to write comes first.
    later = timezone.now() + timedelta(seconds=20)
    told = later.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    ApiKey.objects.update(
        last_used_at=later,
        last_used_address="198.51.100.4",
        last_used_agent="worker/2",
        touched=[{"stream": "orders", "group": None, "at": told}],
    )
    let_a_minute_pass()
    assert write_key_uses() == 1
    found = shown(owner)
    assert (found["last_used_at"], found["last_used_address"], found["last_used_agent"]) == (
        told,
        "198.51.100.4",
        "worker/2",
    )
    assert [each["stream"] for each in found["touched"]] == ["orders", "payments"]
    assert found["touched"][0]["at"] == told


def test_no_request_writes_or_waits_for_it(owner):
    """Not even while somebody holds the key's row."""
    make_stream("orders", owner=owner)
    key = make_key(owner)
    forget_keys()
    with CaptureQueriesContext(connection) as captured:
        assert as_key(key, "/streams/orders/events").status_code == 200
    assert [query["sql"] for query in captured if "UPDATE" in query["sql"]] == []


def test_what_was_touched_is_bounded_in_memory_and_in_its_row(owner):
    key_id = make_key(owner).split("_")[2]
    for start in (0, 100):
        for number in range(start, start + 60):
            note_key_use(key_id, lambda: Visitor("192.0.2.7", "worker"))
            note_touch(key_id, f"stream-{number}")
        assert write_key_uses() == 1
        let_a_minute_pass()
    touched = ApiKey.objects.get().touched
    assert len(touched) == TOUCHED_KEPT
    assert {each["stream"] for each in touched} == {f"stream-{number}" for number in range(140, 160)}


def test_workers_that_write_at_once_write_once(owner):
    key = make_key(owner)
    as_key(key, "/auth/me")
    assert sorted(at_once(*[write_key_uses] * 6)) == [0] * 5 + [1]


def test_a_refused_key_was_not_used(owner):
    key = make_key(owner, expires_at=timezone.now() + timedelta(days=1))
    ApiKey.objects.update(expires_at=timezone.now())
    assert as_key(key, "/auth/me").status_code == 401
    assert write_key_uses() == 0


# --- from where ------------------------------------------------------------------------------------------


def test_a_key_with_addresses_works_from_there_only(owner):
    make_stream("orders", owner=owner)
    mine = ApiClient(token=make_token(owner))
    body = {"name": "n", "scopes": ["produce", "consume"], "addresses": ["192.0.2.0/24", "2001:db8::1"]}
    made = mine.post("/api-keys", body)
    assert made.status_code == 201
    assert made.json()["addresses"] == ["192.0.2.0/24", "2001:db8::1/128"]
    key = made.json()["secret"]
    for address in ("192.0.2.200", "2001:db8::1", "::ffff:192.0.2.3"):
        assert as_key(key, "/auth/me", address=address).status_code == 200
        assert as_key(key, "/streams/orders/events", address=address).status_code == 200
    for address in ("192.0.3.1", "2001:db8::2", "unknown", ""):
        for path in ("/auth/me", "/streams/orders/events"):
            assert_refused(as_key(key, path, address=address), 403, "address_not_allowed")
        answer = as_key(key, "/events", address=address, body={"stream": "orders", "payload": 1})
        assert_refused(answer, 403, "address_not_allowed")
    write_key_uses()
    # Who was refused has not used it.
    assert shown(owner)["last_used_address"] in ("192.0.2.200", "2001:db8::1", "::ffff:192.0.2.3")


@pytest.mark.parametrize(
    ("given", "kept"), [("fe80::1%" + "a" * 39, "fe80::1/128"), ("::ffff:127.0.0.1", "127.0.0.1/32")]
)
def test_an_address_is_kept_as_callers_have_it(owner, given, kept):
    made = ApiClient(token=make_token(owner)).post(
        "/api-keys", {"name": "n", "scopes": ["consume"], "addresses": [given, "127.0.0.2"]}
    )
    assert made.status_code == 201
    assert made.json()["addresses"] == [kept, "127.0.0.2/32"]
    seen = ApiClient(key=made.json()["secret"]).get("/auth/me").status_code
    assert seen == (200 if kept == "127.0.0.1/32" else 403)


def test_a_rotated_key_keeps_its_addresses(owner):
    mine = ApiClient(token=make_token(owner))
    made = mine.post("/api-keys", {"name": "n", "scopes": ["consume"], "addresses": ["192.0.2.7"]}).json()
    successor = mine.post(f"/api-keys/{made['id']}/rotate", {}).json()
    assert successor["addresses"] == ["192.0.2.7/32"]


def test_the_operators_proxy_is_asked_for_the_address(owner, settings):
    settings.TRUSTED_PROXY_COUNT = 1
    key = make_key(owner, addresses=["198.51.100.0/24"])
    client = Client(REMOTE_ADDR="127.0.0.1")
    for forwarded, status in (
        ("198.51.100.7", 200),
        ("203.0.113.1, 198.51.100.7", 200),
        ("198.51.100.7, 203.0.113.1", 403),
    ):
        headers = {"X-API-Key": key, "X-Forwarded-For": forwarded}
        assert client.get("/api/v1/auth/me", headers=headers).status_code == status


@pytest.mark.parametrize(
    "addresses",
    [
        [],
        ["192.0.2.1/24"],
        ["everywhere"],
        [""],
        [5],
        [None],
        ["192.0.2.0/24", "x"],
        "192.0.2.1",
        ["1" * 50],
        ["::1"] * 51,
    ],
)
def test_addresses_that_are_none_are_refused(owner, addresses):
    body = {"name": "n", "scopes": ["consume"], "addresses": addresses}
    assert_refused(ApiClient(token=make_token(owner)).post("/api-keys", body), 422, "invalid_request")
    assert not ApiKey.objects.exists()


# --- until when ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "is_soon"), [(None, False), (8, False), (6, True), (-1, False)])
def test_a_key_that_expires_within_a_week_says_so(owner, days, is_soon):
    make_key(owner, Right.CONSUME)
    at = None if days is None else timezone.now() + timedelta(days=days)
    ApiKey.objects.update(expires_at=at)
    assert shown(owner)["expires_soon"] is is_soon
    page = Client()
    page.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    text = page.get("/keys").content.decode()
    assert ("expires soon" in text) is is_soon
    assert ("will expire within a week" in text) is is_soon
    assert at is None or at.strftime("%Y-%m-%d") in text


# --- on the pages ----------------------------------------------------------------------------------------


def browser_of(user: Any) -> Client:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def test_revoking_says_what_would_break(owner):
    stream = make_stream("orders", owner=owner)
    make_group(stream, "billing", owner=owner)
    key = make_key(owner)
    as_key(key, "/streams/orders/events?consumer_group_id=billing", agent="<b>worker</b>")
    write_key_uses()
    text = browser_of(owner).get(f"/keys/{ApiKey.objects.get().pk}/revoke").content.decode()
    for said in ("Touched lately", "orders", "billing", "192.0.2.7", "&lt;b&gt;worker&lt;/b&gt;"):
        assert said in text
    assert "192.0.2.7" in browser_of(owner).get("/keys").content.decode()


def test_the_form_lets_streams_be_chosen_and_takes_no_other(owner):
    make_stream("orders", owner=owner)
    make_stream("secret-plans", visibility="restricted")
    page = browser_of(owner)
    form = page.get("/keys/new").content.decode()
    assert '<option value="orders"' in form
    assert "secret-plans" not in form
    fields = {"name": "n", "scopes": ["consume"], "addresses": "192.0.2.7, 2001:db8::/32"}
    for name in ("ordres", "secret-plans"):
        answer = page.post("/keys/new", fields | {"streams": ["orders", name]})
        assert answer.status_code == 422
        assert f"There is no stream {name} that" in answer.content.decode()
    assert not ApiKey.objects.exists()
    assert page.post("/keys/new", fields | {"streams": ["orders"]}).status_code == 200
    made = ApiKey.objects.get()
    assert (made.stream_names, made.addresses) == (["orders"], ["192.0.2.7/32", "2001:db8::/32"])
