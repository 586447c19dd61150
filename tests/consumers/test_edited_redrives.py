"""A redrive with another payload takes the right to put words into the producer's mouth, and says what it is."""

import hashlib
from datetime import datetime
from typing import Any

import orjson
import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Right, Role
from consumers.models import ConsumerGroup, DeadLetter, Redrive
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_token, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

GROUP = "/streams/orders/consumer-groups/shipping"
PAYLOAD = b'{"amount": 1.50, "to": "ada"}'
FORGED = b'{"amount": 1e6, "to": "eve"}'


@pytest.fixture
def owner() -> User:
    return make_owner()


@pytest.fixture
def maker() -> User:
    """Made the group, and may only read the stream."""
    return make_user(Role.CONSUMER)


@pytest.fixture
def worker(owner, maker) -> ApiClient:
    """The group's worker, with one event in the group's stream."""
    stream = make_stream("orders", owner=owner)
    make_group(stream, "shipping", mode="lease", owner=maker)
    body = b'{"id": "order-1", "key": "k", "payload": %b}' % PAYLOAD
    assert ApiClient(key=make_key(owner)).post("/streams/orders/events", body).status_code == 202
    return ApiClient(key=make_key(maker, Right.CONSUME))


def lease(worker: ApiClient) -> tuple[Any, bytes]:
    answer = worker.post(f"{GROUP}/lease", {})
    (delivery,) = answer.json()["deliveries"]
    return delivery, answer.content


def give_up(worker: ApiClient) -> int:
    """Lease the event, refuse it for good, and return its dead letter."""
    delivery, _ = lease(worker)
    refused = {
        "delivery_id": delivery["delivery_id"],
        "lease_token": delivery["lease_token"],
        "error": "no",
        "terminal": True,
    }
    assert worker.post(f"{GROUP}/nack", {"deliveries": [refused]}).status_code == 200
    worker.post(f"{GROUP}/lease", {})
    return DeadLetter.objects.get(status="open").pk


def redrive(client: ApiClient, letter: int, payload: bytes = FORGED) -> Any:
    return client.post(f"/dead-letters/{letter}/redrive", b'{"payload": %b, "note": "mended"}' % payload)


def test_who_may_only_consume_sends_it_again_as_it_is_and_no_other(worker, maker):
    letter = give_up(worker)
    for client in (worker, ApiClient(token=make_token(maker)), ApiClient(key=make_key(maker))):
        refused = redrive(client, letter)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
        assert "produce" in refused.json()["detail"]
    assert not Redrive.objects.exists()
    assert worker.post(f"/dead-letters/{letter}/redrive", {"note": "n"}).status_code == 202
    delivery, content = lease(worker)
    assert b'"payload":%b' % PAYLOAD in content
    assert "edited" not in delivery["events"][0]


@pytest.mark.parametrize("scopes", [(Right.CONSUME, Right.PRODUCE), (Right.CONSUME, Right.MANAGE)])
def test_who_may_produce_to_the_stream_or_manage_it_sends_another(worker, owner, maker, scopes):
    letter = give_up(worker)
    # The group is theirs, so that a key without `manage` may act on it at all.
    ConsumerGroup.objects.update(owner=owner)
    assert redrive(ApiClient(key=make_key(owner, Right.CONSUME)), letter).status_code == 403
    assert redrive(ApiClient(key=make_key(owner, *scopes)), letter).status_code == 202


def test_what_was_edited_says_so_by_whom_and_when_and_the_original_is_kept(worker, owner):
    letter = give_up(worker)
    key = ApiClient(key=make_key(owner))
    assert redrive(key, letter).status_code == 202
    kept = Redrive.objects.get()
    _, content = lease(worker)
    delivery, event = _only_event(content)
    assert b'"payload":%b' % FORGED in content
    assert (event["id"], event["offset"], delivery["dead_letter_id"]) == ("order-1", 1, letter)
    edited = event["edited"]
    assert edited.keys() == {"by", "at", "original_payload_sha256"}
    assert edited["by"] == f"key:{key.get('/auth/me').json()['api_key']['id']}"
    assert datetime.fromisoformat(edited["at"]) == kept.requested_at
    assert edited["original_payload_sha256"] == hashlib.sha256(PAYLOAD).hexdigest()

    found = key.get(f"/dead-letters/{letter}")
    assert b'"payload":%b' % PAYLOAD in found.content
    assert "edited" not in found.json()["event"]
    timeline = key.get("/streams/orders/events/0/1/timeline").json()
    for told in (found.json(), timeline["groups"][0]["dead_letters"][0]):
        (again,) = told["redrives"]
        assert (again["edited"], again["requested_by"]) == (True, edited["by"])
        assert datetime.fromisoformat(again["requested_at"]) == kept.requested_at


def test_the_mark_stays_when_it_fails_again_and_is_redriven_in_bulk_or_edited_once_more(worker, owner, maker):
    key = ApiClient(key=make_key(owner))
    assert redrive(key, give_up(worker)).status_code == 202
    first = _copy_of(give_up(worker))
    assert first["payload"] == {"amount": 1e6, "to": "eve"}

    bulk = {"filter": {"stream": "orders", "status": "open"}}
    assert worker.post("/dead-letters/redrive", bulk).json()["done_count"] == 1
    again = _copy_of(give_up(worker))
    assert again["edited"] == first["edited"]

    person = ApiClient(token=make_token(owner))
    assert redrive(person, DeadLetter.objects.get(status="open").pk, PAYLOAD).status_code == 202
    _, content = lease(worker)
    _, event = _only_event(content)
    assert event["edited"]["by"] == f"user:{owner.pk}"
    assert event["edited"]["at"] > first["edited"]["at"]
    # What was appended is the original, not what an editor made of it.
    assert event["edited"]["original_payload_sha256"] == hashlib.sha256(PAYLOAD).hexdigest()
    assert content.count(b'"edited"') == 1


def test_a_bulk_redrive_takes_no_payload(worker, owner):
    letter = give_up(worker)
    body = {"filter": {"stream": "orders"}, "payload": 1}
    assert ApiClient(key=make_key(owner)).post("/dead-letters/redrive", body).status_code == 422
    assert DeadLetter.objects.get(pk=letter).status == "open"


def test_pages_show_the_mark_and_offer_no_edit_to_who_may_not(worker, owner, maker):
    letter = give_up(worker)
    page, act = f"/dead-letters/{letter}", f"/dead-letters/{letter}/redrive"
    makers, owners = browser(maker), browser(owner)
    shown = makers.get(page).content.decode()
    assert 'name="payload"' not in shown
    assert "It is sent as it is" in shown
    assert makers.post(act, {"payload": FORGED.decode(), "note": ""}).status_code == 403
    assert not Redrive.objects.exists()

    assert 'name="payload"' in owners.get(page).content.decode()
    assert owners.post(act, {"payload": FORGED.decode(), "note": ""}).status_code in (200, 302)
    assert 'badge-warn">edited</span>' in makers.get(page).content.decode()
    timeline = makers.get("/streams/orders/events/0/1").content.decode()
    assert "sent again with an edited payload" in timeline
    copy = give_up(worker)
    assert f"edited by <bdi>{owner.email}</bdi>" in makers.get(f"/dead-letters/{copy}").content.decode()


def test_who_may_not_edit_redrives_by_the_page(worker, maker):
    letter = give_up(worker)
    assert browser(maker).post(f"/dead-letters/{letter}/redrive", {"note": "n"}).status_code in (200, 302)
    assert Redrive.objects.get().edited_event is None


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def _only_event(content: bytes) -> tuple[Any, Any]:
    (delivery,) = orjson.loads(content)["deliveries"]
    (event,) = delivery["events"]
    return delivery, event


def _copy_of(letter: int) -> Any:
    event = DeadLetter.objects.get(pk=letter).event
    assert event is not None
    return orjson.loads(bytes(event))
