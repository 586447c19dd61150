"""One caller goes too far: it is told what of, where the limit is, and when to go on; the others notice nothing."""

from collections.abc import Callable

import pytest

from accounts.limits import rates
from accounts.limits.buckets import Rate
from accounts.limits.rates import Rates, forget_rates, get_rates
from streams.log import get_log
from streams.lookup import require_stream
from streams.models import Stream
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_token

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def stream(owner) -> Stream:
    return make_stream("orders", owner=owner)


@pytest.fixture
def client(owner, stream) -> ApiClient:
    return ApiClient(key=make_key(owner))


@pytest.fixture
def allow(monkeypatch) -> Callable[..., None]:
    """Sets limits a second of a `key` or an `owner`; three seconds' worth may come at once, and time stands still."""

    def set_limits(whose: str, **limits: int) -> None:
        named = {kind: Rate(limit, 3 * limit) for kind, limit in limits.items()}
        both = {"key": {}, "owner": {}, whose: named}
        monkeypatch.setattr(rates, "_rates", Rates(**both, clock=lambda: 0.0))

    return set_limits


def append(client: ApiClient, *, events: int = 1, payload: object = None):
    return client.post("/streams/orders/events", [{"payload": payload or {"n": 1}}] * events)


def refused(answer, bucket: str) -> int:
    """Return after how many seconds to come again."""
    assert answer.status_code == 429, answer.content
    problem = answer.json()
    assert (problem["code"], problem["bucket"], problem["retryable"]) == ("rate_limited", bucket, True)
    assert bucket in problem["detail"]
    return int(answer["Retry-After"])


def stored(stream: Stream) -> int:
    partitions = require_stream(stream.owner.as_caller(), stream.name).partitions
    return sum(bounds.head_offset for bounds in get_log().bounds(partitions).values())


def test_limits_are_settings_and_none_is_set_by_default(settings, client):
    forget_rates()
    assert {whose: {"requests": 0, "events": 0, "bytes": 0} for whose in ("key", "owner")} == settings.RATE_LIMITS
    assert not isinstance(get_rates(), Rates), "nothing is counted"
    assert {append(client).status_code for _ in range(30)} == {202}
    settings.RATE_LIMITS = {"key": {"requests": 0, "events": 1, "bytes": 0}, "owner": {"requests": 0}}
    settings.RATE_LIMIT_BURST_SECONDS = 2
    forget_rates()
    assert append(client, events=1_000).status_code == 202
    assert refused(append(client), "events") == 60, "one minute at most"


@pytest.mark.parametrize("path", ["/streams", "/streams/orders/events", "/auth/me", "/streams/orders/stats"])
def test_requests_of_a_key_of_each_kind(allow, client, owner, path):
    allow("key", requests=2)
    assert {client.get(path).status_code for _ in range(6)} == {200}
    assert refused(client.get(path), "requests") == 1
    # Another key, and the person.
    assert ApiClient(key=make_key(owner)).get(path).status_code == 200
    assert ApiClient(token=make_token(owner)).get(path).status_code == 200


def test_a_request_counts_once_even_where_it_waits(allow, client, owner):
    """Whoever has waited is looked at again before there is an answer; that is no second request."""
    allow("key", requests=1)
    for _ in range(3):
        assert client.get("/streams/orders/events", wait="0.01").status_code == 200
    refused(client.get("/streams/orders/events", wait="0.01"), "requests")


def test_an_owner_with_many_keys_has_one_limit(allow, client, owner):
    allow("owner", requests=1)
    keys = [client, *(ApiClient(key=make_key(owner)) for _ in range(3))]
    answers = [key.get("/auth/me") for key in keys]
    assert [answer.status_code for answer in answers[:3]] == [200] * 3
    assert "owner" in answers[3].json()["detail"]
    refused(answers[3], "requests")
    assert ApiClient(key=make_key(make_owner())).get("/auth/me").status_code == 200


def test_events_however_they_are_packed(allow, client, stream):
    allow("key", events=10)
    assert append(client, events=29).status_code == 202
    assert append(client, events=50).status_code == 202, "there was one left: a batch is taken whole or not at all"
    assert refused(append(client), "events") == 5
    assert stored(stream) == 79
    assert client.get("/streams/orders/events").status_code == 200, "reading goes on"


def test_bytes_of_bodies_counted_also_where_they_are_no_good(allow, client):
    allow("key", bytes=1_000)
    large = {"text": "x" * 1_490}
    assert append(client, payload=large).status_code == 202
    assert client.post("/events", b"[" + b" " * 1_600).status_code == 400
    refused(append(client), "bytes")


def test_a_limit_is_told_before_the_body_is_looked_at(allow, client):
    allow("key", events=1)
    assert append(client, events=20).status_code == 202
    refused(client.post("/events", b"no json"), "events")


def test_nothing_of_what_was_refused_is_stored_and_an_idempotency_key_stays_fresh(allow, client, stream):
    allow("key", events=1)
    assert append(client, events=20).status_code == 202
    event = {"stream": "orders", "payload": {"n": 2}}
    refused(client.post("/events", event, Idempotency_Key="again"), "events")
    allow("key", events=1)
    answer = client.post("/events", event, Idempotency_Key="again")
    assert (answer.status_code, answer.json()["offset"]) == (202, 21)
    assert "Idempotent-Replayed" not in answer


def test_acks_are_requests_too(allow, client, owner, stream):
    group = make_group(stream, "work", mode="lease", owner=owner)
    append(client)
    allow("key", requests=1)
    path = f"/streams/orders/consumer-groups/{group.name}"
    (delivery,) = client.post(f"{path}/lease", {"max_events": 1}).json()["deliveries"]
    named = {"deliveries": [{"delivery_id": delivery["delivery_id"], "lease_token": delivery["lease_token"]}]}
    for _ in range(2):
        client.get("/auth/me")
    refused(client.post(f"{path}/ack", named), "requests")
    allow("key", requests=1)
    assert client.post(f"{path}/ack", named).status_code == 200


def test_signing_in_and_health_are_for_everybody(allow, client):
    allow("owner", requests=1)
    for _ in range(4):
        client.get("/auth/me")
    assert client.client.get("/healthz").status_code == 200
    assert client.post("/auth/login", {"email": "a@example.com", "password": "x"}).status_code == 401
