"""The page of a group lists its deliveries, by what one likes, and lets its managers act on one."""

import re

import pytest
from django.test import Client

from accounts.models import AuditEntry
from accounts.roles import Role
from consumers.models import ConsumerGroup, Delivery
from consumers.services.groups import change_group
from tests.consumers.leases import ack, lease, lease_one, let_expire, nack, produce, produce_kinds, states
from tests.factories import make_group, make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

GROUP = "/streams/orders/consumer-groups/shipping"


@pytest.fixture
def group() -> ConsumerGroup:
    owner = make_owner()
    group = make_group(
        make_stream("orders", owner=owner), "shipping", mode="lease", owner=owner, backoff_seconds=(3600,)
    )
    produce(group, 10)
    return group


def browser(user) -> Client:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def manager(group) -> Client:
    return browser(group.owner)


def page_of(client: Client, address: str = GROUP) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def listed(page: str) -> list[int]:
    """The first offset of each delivery, as the page lists them."""
    return [int(offset) for offset in re.findall(r'<th scope="row"[^>]*>\s*<a href="[^"]*">(\d+)</a>', page)]


def test_each_delivery_leads_to_its_events(manager, group):
    lease_one(group, 3)
    page = page_of(manager)
    assert 'href="/streams/orders/events/0/1"' in page
    assert 'href="/streams/orders/events/0/3"' in page


def test_the_list_is_sorted_by_links_that_say_so(manager, group):
    failed = lease_one(group, 1)
    lease_one(group, 2)
    nack(group, failed)

    page = page_of(manager)
    assert listed(page) == [1, 2]
    assert re.findall(r'aria-sort="(\w+)"', page) == ["ascending"]
    turned = page_of(manager, f"{GROUP}?sort=offset&order=desc")
    assert f'href="{GROUP}?sort=offset&amp;order=desc#deliveries-title"' in page
    assert listed(turned) == [2, 1]
    assert re.findall(r'aria-sort="(\w+)"', turned) == ["descending"]
    assert listed(page_of(manager, f"{GROUP}?sort=state")) == [2, 1]
    assert listed(page_of(manager, f"{GROUP}?sort=due")) == [2, 1]
    by_failures = page_of(manager, f"{GROUP}?sort=failures")
    assert listed(by_failures) == [1, 2]
    assert "sort=failures" not in re.sub(r'hx-get="[^"]*"', "", by_failures)


@pytest.mark.parametrize("query", ["sort=nothing", "sort=", "sort=due&order=up", "sort=%00", "order=desc"])
def test_an_order_that_is_none_is_the_usual_one(manager, group, query):
    lease_one(group, 1)
    assert listed(page_of(manager, f"{GROUP}?{query}")) == [1]


def test_a_delivery_that_waits_is_retried_now(manager, group):
    failed = lease_one(group, 1)
    nack(group, failed)
    before = Delivery.objects.get().available_at
    address = f"{GROUP}/deliveries/{failed.id}/retry-now"
    assert address in page_of(manager)

    answer = manager.post(address, headers={"HX-Request": "true"})

    assert answer.status_code == 204
    assert "refresh-live" in answer["HX-Trigger"]
    assert Delivery.objects.get().available_at < before
    assert AuditEntry.objects.filter(action="delivery.retried").count() == 1
    # Without scripts the answer is the page.
    assert manager.post(address)["Location"] == GROUP


def test_a_leased_one_is_released_after_a_question(manager, group):
    held = lease_one(group, 3, consumer="worker-7")
    address = f"{GROUP}/deliveries/{held.id}/release"
    assert address in page_of(manager)

    question = page_of(manager, address)
    assert "worker-7" in question
    assert 'name="delivery_count"' in question
    assert states(group) == [(1, 3, "leased")]
    answer = manager.post(address, {"delivery_count": "1"}, headers={"HX-Request": "true"})

    assert answer.status_code == 204
    assert "close-dialog" in answer["HX-Trigger"]
    assert states(group) == [(1, 3, "waiting")]
    assert ack(group, held) == ["lease_lost"]


@pytest.mark.parametrize(
    ("consumer", "told"),
    [("worker-7", "worker-7"), ("browser:7:0a1b2c3d:ada@example.com", "ada@example.com")],
    ids=["a program", "a person"],
)
def test_who_held_it_is_told_as_people_know_them(manager, group, consumer, told):
    held = lease_one(group, 1, consumer=consumer)

    answer = manager.post(f"{GROUP}/deliveries/{held.id}/release", headers={"HX-Request": "true"})

    assert f'"{told} does not hold it any more."' in answer["HX-Trigger"]


def test_a_question_that_was_asked_too_long_ago_takes_nothing_from_somebody_else(manager, group):
    held = lease_one(group, 10)
    let_expire(group)
    address = f"{GROUP}/deliveries/{held.id}/release"

    answer = manager.post(address, {"delivery_count": "1"}, headers={"HX-Request": "true"})

    assert answer.status_code == 409
    assert "Delivery is not leased" in answer["HX-Trigger"]
    assert manager.post(address, {"delivery_count": "many"}).status_code == 422
    assert manager.get(f"{GROUP}/deliveries/999999/release").status_code == 404


def test_whoever_does_not_manage_the_group_is_offered_neither(group):
    mate = make_user(Role.CONSUMER)
    group.grants.create(user=mate, rights=["use"])
    nack(group, lease_one(group, 1))
    lease_one(group, 1)

    page = page_of(browser(mate))

    assert len(listed(page)) == 2
    assert "retry-now" not in page
    assert "/release" not in page


def test_a_page_of_many_says_that_it_is_not_all(manager, group):
    lease_one(group, 1)
    assert "all that are not finished" in page_of(manager)
    produce(group, 40)
    for _ in range(35):
        lease_one(group, 1)
    page = page_of(manager)
    assert "the first 30 that are not finished" in page
    assert len(listed(page)) == 30


def test_keys_that_are_held_up_are_shown_with_what_holds_them_up(manager, group):
    change_group(group=group, changes={"ordering": "key"})
    key = "<b>alice</b>"
    produce_kinds(group, {"key": key}, {"key": key}, {"key": "bob"})
    for _ in range(2):
        for delivery in lease(group).deliveries:
            if delivery.first_offset < 11:
                ack(group, delivery)
            elif delivery.first_offset == 11:
                nack(group, delivery, error="no such customer")

    page = page_of(manager)
    card = page[page.index("held-keys-title") : page.index("deliveries-title")]
    assert "&lt;b&gt;alice&lt;/b&gt;" in card
    assert "bob" not in card
    assert "waits for its next attempt" in card
    assert "no such customer" in card
    assert 'href="/streams/orders/events/0/11"' in card
    assert "1 by an event of their key before them" in " ".join(page.split())
    assert ">held up</span>" in page
    assert "no more may be" not in page


def test_that_no_more_may_be_held_up_is_said(manager, group, settings):
    settings.MAX_HELD_UP = 1
    change_group(group=group, changes={"ordering": "key"})
    produce_kinds(group, *[{"key": "a"}] * 4)
    ack(group, *lease(group).deliveries)
    lease(group)

    assert "1 events are held up" not in page_of(manager)
    assert "no more may be" in page_of(manager)


def test_a_group_that_holds_up_nothing_shows_no_keys(manager, group):
    lease_one(group, 3)
    assert "held-keys-title" not in page_of(manager)
