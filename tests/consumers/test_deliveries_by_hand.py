"""What people do with single deliveries: have one tried now, or take one from its consumer."""

from typing import Any

import pytest
from django.db.models.functions import Now

from accounts.models import AuditEntry
from accounts.roles import Role
from consumers.models import ConsumerGroup, Delivery, DeliveryHistory
from consumers.services.leasing import release_deliveries
from consumers.services.leasing.by_hand import release_delivery
from tests.client import ApiClient
from tests.consumers.leases import (
    ack,
    committed,
    dead,
    lease_one,
    let_expire,
    make_lease_group,
    nack,
    produce,
    refs,
    states,
)
from tests.factories import make_group, make_owner, make_stream, make_token, make_user
from tests.threads import Work

pytestmark = pytest.mark.usefixtures("db_with_commits")
BASE = "/streams/orders/consumer-groups/shipping"


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def group(owner) -> ConsumerGroup:
    stream = make_stream("orders", owner=owner)
    group = make_group(stream, "shipping", mode="lease", backoff_seconds=(3600,), max_failures=3)
    produce(group, 5)
    return group


@pytest.fixture
def client(owner, group) -> ApiClient:
    return ApiClient(token=make_token(owner))


def ask(client: ApiClient, delivery: Any, verb: str, body: Any = None, **headers: str):
    return client.post(f"{BASE}/deliveries/{delivery}/{verb}", {} if body is None else body, **headers)


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_story_of_an_event_that_waits_for_an_hour_and_somebody_has_mended_what_was_wrong(client, group):
    failed = lease_one(group, 1)
    nack(group, failed, error="the warehouse is away")
    assert client.post(f"{BASE}/lease", {"max_events": 1}).json()["deliveries"][0]["first_offset"] == 2
    (waiting,) = client.get(f"{BASE}/deliveries", state="waiting").json()["data"]

    retried = ask(client, waiting["delivery_id"], "retry-now")

    assert retried.status_code == 200
    told = retried.json()
    assert (told["state"], told["failure_count"], told["last_error"]) == ("waiting", 1, "the warehouse is away")
    assert told["available_at"] < waiting["available_at"]
    # With what is new it has half of the room.
    (again,) = [each for each in client.post(f"{BASE}/lease", {}).json()["deliveries"] if each["first_offset"] == 1]
    assert (again["delivery_id"], again["delivery_count"]) == (failed.id, 2)


def test_a_consumer_that_waits_gets_it(client, group):
    lease_one(group, 4)
    failed = lease_one(group)
    nack(group, failed)
    waiting = Work(lambda: lease_one(group, wait_seconds=20.0))

    ask(client, failed.id, "retry-now")

    assert waiting.result().first_offset == 5


def test_what_a_dead_consumer_holds_is_taken_from_it_and_its_ack_comes_too_late(client, group):
    delivery = lease_one(group, 5, consumer="worker-1", ack_wait_seconds=3600)

    released = ask(client, delivery.id, "release", {"delivery_count": 1})

    assert released.status_code == 200
    told = released.json()
    assert (told["state"], told["failure_count"], told["expires_at"]) == ("waiting", 0, None)
    held = {"delivery_id": delivery.id, "lease_token": str(delivery.token)}
    for verb in ("ack", "nack", "extend", "release"):
        assert problem(client.post(f"{BASE}/{verb}", {"deliveries": [held]})) == (409, "lease_lost"), verb
    again = lease_one(group, 5)
    assert (again.first_offset, again.last_offset, again.failure_count) == (1, 5, 0)
    assert ack(group, again) == ["acked"]
    assert committed(group) == 5
    history = DeliveryHistory.objects.order_by("pk").values_list("outcome", "consumer")
    assert list(history) == [("released", "worker-1"), ("acked", "worker")]


def test_both_are_in_the_audit_trail(client, group, owner):
    failed = lease_one(group, 1)
    nack(group, failed)
    held = lease_one(group, 2, consumer="worker-1")
    ask(client, failed.id, "retry-now")
    ask(client, held.id, "release")

    retried, released = AuditEntry.objects.filter(action__startswith="delivery.").order_by("pk")
    assert (retried.action, released.action) == ("delivery.retried", "delivery.released")
    assert retried.actor_email == released.actor_email == owner.email
    assert (released.target, released.group) == (f"delivery {held.id}", "shipping")
    assert released.before == {"leased_by": "worker-1"}
    assert released.after == {"partition": 0, "first_offset": 2, "last_offset": 3}
    assert set(retried.before) == {"available_at"}


def test_a_lease_that_another_consumer_took_meanwhile_is_left_alone(client, group):
    seen = lease_one(group, 5)
    release_deliveries(group=group, leases=refs(seen))
    now = lease_one(group, 5, consumer="worker-2")
    assert now.id == seen.id

    assert problem(ask(client, seen.id, "release", {"delivery_count": 1})) == (409, "delivery_not_leased")
    assert ack(group, now) == ["acked"]


def test_the_same_again_is_answered_as_before_with_its_key_and_refused_without(client, group):
    delivery = lease_one(group, 5)
    first = ask(client, delivery.id, "release", Idempotency_Key="one")
    lease_one(group, 5, consumer="worker-2")

    again = ask(client, delivery.id, "release", Idempotency_Key="one")

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Delivery.objects.get().state == "leased"


@pytest.mark.parametrize("verb", ["retry-now", "release"])
@pytest.mark.parametrize("delivery", ["999999999", "0", "no-id", "9" * 19, "9" * 30, "-1", "٣"])
def test_what_the_group_has_not_is_not_found(client, group, verb, delivery):
    assert problem(ask(client, delivery, verb)) == (404, "delivery_not_found")


@pytest.mark.parametrize("verb", ["retry-now", "release"])
def test_another_groups_delivery_is_not_found(client, group, verb):
    other = make_group(group.stream, "packing", mode="lease", owner=make_owner())
    delivery = lease_one(other, 5)

    assert problem(ask(client, delivery.id, verb)) == (404, "delivery_not_found")
    assert states(other) == [(1, 5, "leased")]


@pytest.mark.parametrize("verb", ["retry-now", "release"])
def test_whoever_uses_the_group_and_does_not_manage_it_is_refused(group, verb):
    mate = make_user(Role.CONSUMER)
    group.grants.create(user=mate, rights=["use"])
    delivery = lease_one(group, 5)

    assert problem(ask(ApiClient(token=make_token(mate)), delivery.id, verb)) == (403, "scope_missing")
    assert states(group) == [(1, 5, "leased")]


def test_what_is_leased_is_not_retried_and_what_waits_is_not_released(client, group):
    leased = lease_one(group, 1)
    assert problem(ask(client, leased.id, "retry-now")) == (409, "delivery_not_waiting")
    nack(group, leased)
    assert problem(ask(client, leased.id, "release")) == (409, "delivery_not_leased")
    nack(group, lease_one(group, 1), is_terminal=True)
    exhausted = Delivery.objects.get(state="exhausted")
    assert problem(ask(client, exhausted.pk, "retry-now")) == (409, "delivery_not_waiting")
    assert problem(ask(client, exhausted.pk, "release")) == (409, "delivery_not_leased")
    assert not AuditEntry.objects.filter(action__startswith="delivery.").exists()


def test_a_lease_that_expired_counts_as_waiting_and_is_tried_again_now(client, group):
    delivery = lease_one(group, 1)
    let_expire(group)

    assert problem(ask(client, delivery.id, "release")) == (409, "delivery_not_leased")
    told = ask(client, delivery.id, "retry-now").json()

    # The failure is the consumer's all the same.
    assert (told["state"], told["failure_count"], told["expires_at"]) == ("waiting", 1, None)
    assert Delivery.objects.filter(pk=delivery.id, available_at__lte=Now()).exists()


def test_what_is_due_already_keeps_its_place_in_the_line(client, group):
    delivery = lease_one(group, 1)
    nack(group, delivery, delay_seconds=0.0)
    due = Delivery.objects.get().available_at

    assert ask(client, delivery.id, "retry-now").status_code == 200
    assert Delivery.objects.get().available_at == due


def test_a_release_that_uses_up_the_deliveries_gives_the_event_up():
    group = make_lease_group(max_deliveries=2)
    produce(group, 1)
    release_deliveries(group=group, leases=refs(lease_one(group)))
    delivery = lease_one(group)

    released = release_delivery(group=group, delivery_id=delivery.id)

    assert (released.present_state, released.exhausted_reason) == ("exhausted", "delivery_cap")
    assert dead(group) == []


def test_an_offset_mode_group_has_no_deliveries(client, group):
    make_group(group.stream, "billing")
    for verb in ("retry-now", "release"):
        answer = client.post(f"/streams/orders/consumer-groups/billing/deliveries/1/{verb}", {})
        assert problem(answer) == (409, "wrong_mode")


def test_a_body_that_says_something_else_is_refused(client, group):
    delivery = lease_one(group, 1)
    for body in ({"delivery_count": 0}, {"delivery_count": "1"}, {"lease_token": "x"}):
        assert ask(client, delivery.id, "release", body).status_code == 422
    assert states(group) == [(1, 1, "leased")]
