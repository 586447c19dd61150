"""A group is its owner's: who may read its stream looks at it, and commands groups of their own only."""

import pytest

from accounts.roles import Right, Role
from consumers.models import ConsumerGroup, DeadLetter
from consumers.queries import forget_groups
from tests.client import ApiClient
from tests.factories import make_dead_letter, make_group, make_key, make_owner, make_stream, make_token, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

GROUP = "/streams/orders/consumer-groups/billing"
LEASING = "/streams/orders/consumer-groups/shipping"


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def stream(owner):
    return make_stream("orders", owner=owner)


@pytest.fixture
def maker():
    return make_user(Role.CONSUMER)


@pytest.fixture
def billing(stream, maker):
    return make_group(stream, "billing", owner=maker)


@pytest.fixture
def shipping(stream, maker):
    return make_group(stream, "shipping", owner=maker, mode="lease")


@pytest.fixture
def neighbour(stream):
    """A reader of the stream with a key that may consume."""
    return ApiClient(key=make_key(make_user(Role.CONSUMER), Right.CONSUME))


def assert_refused(answer):
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


def test_a_neighbour_cannot_move_stop_or_delete_a_group(neighbour, billing):
    make_dead_letter(billing)
    assert_refused(neighbour.post(f"{GROUP}/seek", {"to": "latest"}))
    assert_refused(neighbour.post(f"{GROUP}/offsets", {"offset": 0}))
    assert_refused(neighbour.patch(GROUP, {"paused": True}))
    assert_refused(neighbour.delete(GROUP))
    group = ConsumerGroup.objects.get()
    assert not group.is_paused
    assert DeadLetter.objects.filter(group=group, status="open").count() == 1


def test_a_neighbour_cannot_poison_an_event_and_forge_it(neighbour, shipping):
    letter = make_dead_letter(shipping)
    assert_refused(neighbour.post(f"{LEASING}/lease", {}))
    assert_refused(neighbour.post(f"/dead-letters/{letter.pk}/redrive", {"payload": {"amount": 1_000_000}}))
    letter.refresh_from_db()
    assert letter.status == "open"


def test_a_neighbour_cannot_read_as_the_group_and_is_not_noted_as_its_member(neighbour, billing):
    assert_refused(neighbour.get("/streams/orders/events", consumer_group_id="billing"))
    assert not billing.members.exists()
    assert neighbour.get("/streams/orders/events").status_code == 200


def test_a_neighbour_looks_at_the_group_and_makes_one_of_their_own(neighbour, billing):
    assert neighbour.get(GROUP).json()["owner"] == billing.owner.email
    assert neighbour.get(f"{GROUP}/offsets").status_code == 200
    assert neighbour.post("/streams/orders/consumer-groups", {"name": "own"}).status_code == 201
    own = "/streams/orders/consumer-groups/own"
    assert neighbour.post(f"{own}/seek", {"to": "latest"}).status_code == 200
    assert neighbour.delete(f"{own}?confirm=own").status_code == 204


def test_making_an_equal_group_takes_nothing_over(neighbour, billing):
    answer = neighbour.post("/streams/orders/consumer-groups", {"name": "billing"})
    assert (answer.status_code, answer.json()["owner"]) == (200, billing.owner.email)
    assert_refused(neighbour.delete(GROUP))


def test_its_owner_does_everything_with_a_key_that_may_consume(maker, shipping):
    client = ApiClient(key=make_key(maker, Right.CONSUME))
    assert client.post(f"{LEASING}/lease", {}).status_code == 200
    assert client.post(f"/dead-letters/{make_dead_letter(shipping).pk}/redrive", {}).status_code == 202
    assert client.patch(LEASING, {"paused": True}).status_code == 200
    assert client.delete(f"{LEASING}?confirm=shipping").status_code == 204


def test_the_streams_owner_needs_the_scope_to_manage_for_the_groups_of_others(owner, billing):
    assert_refused(ApiClient(key=make_key(owner, Right.CONSUME)).post(f"{GROUP}/seek", {"to": "latest"}))
    managing = ApiClient(key=make_key(owner, Right.CONSUME, Right.MANAGE))
    assert managing.post(f"{GROUP}/seek", {"to": "latest"}).status_code == 200


def test_an_admins_narrow_key_commands_no_group_of_others(billing):
    admin = make_user(*Role)
    assert_refused(ApiClient(key=make_key(admin, Right.PRODUCE, Right.CONSUME)).delete(GROUP))
    assert ApiClient(token=make_token(admin)).delete(f"{GROUP}?confirm={GROUP.rsplit('/', 1)[1]}").status_code == 204


def test_a_bulk_act_touches_the_groups_that_the_caller_manages(neighbour, maker, stream, shipping):
    make_dead_letter(shipping)
    assert_refused(neighbour.post("/dead-letters/discard", {"filter": {"stream": "orders"}}))
    assert neighbour.post("/streams/orders/consumer-groups", {"name": "own", "mode": "lease"}).status_code == 201
    own = make_dead_letter(ConsumerGroup.objects.get(name="own"), 2)
    answer = neighbour.post("/dead-letters/discard", {"filter": {"stream": "orders"}})
    assert answer.json()["done_count"] == 1
    assert list(DeadLetter.objects.filter(status="discarded")) == [own]


def test_a_group_that_went_to_somebody_else_is_lost_to_who_had_it(maker, shipping):
    client = ApiClient(key=make_key(maker, Right.CONSUME))
    assert client.post(f"{LEASING}/lease", {}).status_code == 200
    ConsumerGroup.objects.filter(pk=shipping.pk).update(owner=make_user(Role.CONSUMER))
    forget_groups()
    assert_refused(client.post(f"{LEASING}/lease", {}))


def test_who_loses_the_stream_loses_the_group(maker, stream, shipping):
    client = ApiClient(key=make_key(maker, Right.CONSUME))
    owner = ApiClient(token=make_token(stream.owner))
    assert owner.patch("/streams/orders", {"visibility": "restricted"}).status_code == 200
    assert client.post(f"{LEASING}/lease", {}).status_code == 404
