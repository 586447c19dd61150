"""The payload of one event has to go for good: over HTTP, from wherever anybody could read it."""

import json
from typing import Any

import pytest

from accounts.idempotency import unpack_body
from accounts.models import AuditEntry, IdempotencyRecord
from accounts.roles import Right, Role
from consumers.models import DeadLetter, Redrive
from streams.log import close_log, get_log
from streams.lookup import load_stream
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_token, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

SECRET = "ada@lovelace.example"
ORDERS = "/streams/orders/events"
GROUP = "/streams/orders/consumer-groups/shipping"
PARKING = "/streams/orders/consumer-groups/billing"
WHY = {"reason": "request 17 of the person concerned"}


@pytest.fixture
def owner() -> Any:
    return make_owner()


@pytest.fixture
def shop(owner) -> ApiClient:
    """The stream's owner, with three events in it; the second has the secret in its payload and in a header."""
    stream = make_stream("orders", owner=owner)
    make_group(stream, "shipping", mode="lease", backoff_seconds=(0,))
    make_group(stream, "billing")
    client = ApiClient(key=make_key(owner))
    for number in (1, 2, 3):
        secret = SECRET if number == 2 else "nothing"
        event = {
            "id": f"order-{number}",
            "type": "order.created",
            "key": f"k{number}",
            "headers": {"from": secret},
            "payload": {"n": number, "mail": secret},
        }
        assert client.post(ORDERS, event, Idempotency_Key=f"order-{number}").status_code == 202
    return client


def erase(client: ApiClient, offset: int = 2, body: Any = WHY, **headers: str) -> Any:
    return client.post(f"{ORDERS}/0/{offset}/erase", body, **headers)


def lease(client: ApiClient) -> list[dict[str, Any]]:
    return list(client.post(f"{GROUP}/lease", {}).json()["deliveries"])


def fail(client: ApiClient, delivery: dict[str, Any], *offsets: int, **how: Any) -> None:
    failed = [{"offset": offset, "error": "no", **how} for offset in offsets]
    held = {name: delivery[name] for name in ("delivery_id", "lease_token")}
    assert client.post(f"{GROUP}/ack", {"deliveries": [held | {"failed": failed}]}).status_code == 200


def dead_letter(client: ApiClient) -> int:
    """Let the group give up on the second event."""
    (delivery,) = lease(client)
    fail(client, delivery, 2, terminal=True)
    assert lease(client) == []
    (letter,) = client.get("/dead-letters").json()["data"]
    return int(letter["id"])


def check_gone_from_the_database() -> None:
    """Nothing that is kept for an answer has the secret, plain or packed."""
    copies = [bytes(event or b"") for event in DeadLetter.objects.values_list("event", flat=True)]
    copies += [bytes(event or b"") for event in Redrive.objects.values_list("edited_event", flat=True)]
    copies += [difference.encode() for difference in Redrive.objects.values_list("difference", flat=True)]
    copies += [unpack_body(bytes(body or b"")) for body in IdempotencyRecord.objects.values_list("body", flat=True)]
    copies += [json.dumps([entry.before, entry.after, entry.target]).encode() for entry in AuditEntry.objects.all()]
    assert not [copy for copy in copies if SECRET.encode() in copy]


def test_whoever_reads_gets_the_envelope_without_the_payload(shop):
    before = shop.get(ORDERS).json()
    assert SECRET in json.dumps(before)

    answer = erase(shop)

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    erased = answer.json()
    size = erased["erased"].pop("bytes")
    assert size > len(SECRET) * 2
    at = erased["erased"]["at"]
    assert erased == before[1] | {"headers": {}, "payload": None, "erased": {"at": at}}
    as_read = erased | {"erased": {"bytes": size, "at": at}}
    assert shop.get(ORDERS).json() == [before[0], as_read, before[2]]
    alone = shop.get(f"{ORDERS}/0/2")
    assert (alone.json(), alone["Cache-Control"]) == (as_read, "no-store")
    assert shop.get(ORDERS, last_offset=1, limit=1).json() == [as_read]
    polled = shop.get(ORDERS, consumer_group_id="billing", last_offset=0)
    assert polled.json() == [before[0], as_read, before[2]]
    check_gone_from_the_database()

    # As another process would read it, which remembers nothing.
    close_log()
    assert shop.get(ORDERS).json()[1] == as_read


def test_erasing_again_is_answered_as_the_first_time_and_changes_nothing(shop):
    first = erase(shop)
    trail = AuditEntry.objects.count()
    again = erase(shop, body={"reason": "by another way"})
    assert (again.status_code, again.content) == (200, first.content)
    assert AuditEntry.objects.count() == trail


def test_a_retry_with_a_key_is_answered_from_memory(shop):
    first = erase(shop, Idempotency_Key="once")
    again = erase(shop, Idempotency_Key="once")
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (200, first.content, "true")
    check_gone_from_the_database()


def test_the_trail_says_who_erased_what_and_why_and_never_what_it_was(shop, owner):
    dead_letter(shop)
    erase(shop)
    entry = AuditEntry.objects.get(action="event.erased")
    assert (entry.actor_email, entry.stream, entry.target) == (owner.email, "orders", "event 0/2")
    assert entry.after == {"partition": 0, "offset": 2, "event_id": "order-2", "copies": 1, **WHY}
    assert entry.before is None


def test_what_is_leased_is_out_and_what_comes_again_is_erased(shop):
    (delivery,) = lease(shop)
    assert SECRET in json.dumps(delivery)

    assert erase(shop).status_code == 200
    fail(shop, delivery, 2)

    (again,) = lease(shop)
    (event,) = again["events"]
    assert (event["offset"], event["payload"], event["headers"], "erased" in event) == (2, None, {}, True)
    fail(shop, again)
    assert shop.get(f"{GROUP}/offsets").json()["data"][0]["committed_offset"] == 3


def test_a_dead_letter_loses_its_copy_and_is_sent_again_without_it(shop):
    letter = dead_letter(shop)
    assert SECRET in shop.get(f"/dead-letters/{letter}").content.decode()

    erased = erase(shop).json()

    assert shop.get(f"/dead-letters/{letter}").json()["event"] == erased
    refused = shop.post(f"/dead-letters/{letter}/redrive", {"payload": {"n": 2}})
    assert (refused.status_code, refused.json()["code"]) == (409, "event_erased")
    assert shop.post(f"/dead-letters/{letter}/redrive", {}).status_code == 202
    (delivery,) = lease(shop)
    assert delivery["events"] == [erased]
    # And given up once more.
    fail(shop, delivery, 2, terminal=True)
    lease(shop)
    assert DeadLetter.objects.count() == 2
    check_gone_from_the_database()


def test_an_edited_redrive_under_way_loses_both_payloads_and_what_they_differ_in(shop):
    letter = dead_letter(shop)
    edited = {"payload": {"n": 2, "mail": f"not {SECRET}"}}
    assert shop.post(f"/dead-letters/{letter}/redrive", edited, Idempotency_Key="edit").status_code == 202
    assert SECRET in shop.get(f"/dead-letters/{letter}").json()["redrives"][0]["difference"][0]["before"]

    erased = erase(shop).json()

    check_gone_from_the_database()
    (redrive,) = shop.get(f"/dead-letters/{letter}").json()["redrives"]
    assert (redrive["edited"], redrive["difference"]) == (True, [])
    (delivery,) = lease(shop)
    assert delivery["events"] == [erased]


def test_an_edited_event_that_died_again_loses_its_copies(shop):
    letter = dead_letter(shop)
    assert shop.post(f"/dead-letters/{letter}/redrive", {"payload": SECRET}).status_code == 202
    (delivery,) = lease(shop)
    assert delivery["events"][0]["edited"]["original_payload_sha256"]
    fail(shop, delivery, 2, terminal=True)
    lease(shop)
    erased = erase(shop).json()
    letters = shop.get("/dead-letters").json()["data"]
    assert len(letters) == 2
    for each in letters:
        assert shop.get(f"/dead-letters/{each['id']}").json()["event"] == erased
    check_gone_from_the_database()


def test_what_is_parked_after_the_erasure_is_erased(shop):
    erase(shop)
    assert shop.post(f"{PARKING}/dead-letters", {"offset": 2, "error": "no"}).status_code == 201
    check_gone_from_the_database()


def test_what_only_dead_letters_still_have_is_erased_there(shop):
    letter = dead_letter(shop)
    (partition,) = load_stream("orders").partitions
    while get_log().trim(partition, keep_events=1):
        pass
    assert shop.get(f"{ORDERS}/0/2").json()["code"] == "event_expired"

    first = erase(shop)

    assert (first.status_code, first.json()["payload"], first.json()["id"]) == (200, None, "order-2")
    assert shop.get(f"/dead-letters/{letter}").json()["event"] == first.json()
    check_gone_from_the_database()
    again = erase(shop)
    assert (again.status_code, again.content) == (200, first.content)
    assert AuditEntry.objects.filter(action="event.erased").count() == 1


def test_what_nobody_has_cannot_be_erased(shop):
    (partition,) = load_stream("orders").partitions
    get_log().trim(partition, keep_events=2)
    assert (erase(shop, 1).status_code, erase(shop, 1).json()["code"]) == (410, "event_expired")
    assert (erase(shop, 4).status_code, erase(shop, 4).json()["code"]) == (404, "event_not_found")
    missing = shop.post(f"{ORDERS}/1/1/erase", WHY)
    assert (missing.status_code, missing.json()["code"]) == (404, "partition_not_found")
    assert not AuditEntry.objects.filter(action="event.erased").exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "  \n "},
        {"reason": "a\x00b"},
        {"reason": "x" * 501},
        {"reason": 5},
        {"reason": None},
        {"reason": "why", "payload": 1},
        b"",
        b"[]",
        b'{"reason": "\\ud800"}',
        b"nonsense",
    ],
)
def test_a_body_that_will_not_do_is_refused_and_nothing_is_erased(shop, body):
    answer = erase(shop, body=body)
    assert answer.status_code in (400, 422)
    assert answer["Content-Type"] == "application/problem+json"
    assert SECRET in shop.get(f"{ORDERS}/0/2").content.decode()


def test_an_address_that_will_not_do_is_refused(shop):
    for address in ("0/0", "0/x", "0/01", "-1/2", f"0/{2**63}", "%00/2"):
        answer = shop.post(f"{ORDERS}/{address}/erase", WHY)
        assert answer.status_code in (400, 404, 422), address
        assert answer["Content-Type"] == "application/problem+json"
    assert shop.post(f"{ORDERS}/0/2/erase?force=1", WHY).json()["code"] == "unknown_field"
    assert shop.get(f"{ORDERS}/0/2/erase").status_code == 405


def test_it_takes_the_right_to_manage_the_stream(shop, owner):
    reader = make_user(Role.CONSUMER)
    stranger = make_user(Role.PRODUCER)
    for who, status in (
        (ApiClient(token=make_token(reader)), 403),
        (ApiClient(token=make_token(stranger)), 404),
        (ApiClient(key=make_key(owner, Right.CONSUME, Right.PRODUCE)), 403),
        (ApiClient(), 401),
    ):
        assert erase(who).status_code == status
    assert SECRET in shop.get(f"{ORDERS}/0/2").content.decode()
    # It is enough, and tells nothing of the payload.
    assert erase(ApiClient(key=make_key(owner, Right.MANAGE))).status_code == 200
