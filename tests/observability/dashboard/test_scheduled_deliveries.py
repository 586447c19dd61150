"""What is for later and what has expired, as a group's page, its answers and its metrics tell it."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from consumers import delivery_queries
from consumers.group_standings import list_standings
from consumers.models import ConsumerGroup, Delivery
from consumers.services.reconcile import reconcile_deliveries
from tests.client import ApiClient
from tests.consumers.leases import lease, let_events_expire, make_due, make_lease_group, nack, produce_kinds
from tests.factories import make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")
LATER: dict[str, int] = {"deliver_after": 3_600}
PLAIN: dict[str, int] = {}


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def group(owner):
    return make_lease_group(stream=make_stream("orders", owner=owner))


@pytest.fixture
def browser(owner):
    browser = Client()
    browser.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    return browser


@pytest.fixture
def api(owner):
    return ApiClient(key=make_key(owner))


def page(browser, group):
    answer = browser.get(f"/streams/orders/consumer-groups/{group.name}")
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split())


def standing():
    (found,) = list_standings(ConsumerGroup.objects.all(), now=timezone.now())
    return found


def test_what_is_scheduled_is_counted_apart_from_what_waits_and_is_part_of_the_lag(group):
    produce_kinds(group, LATER, LATER, {"deliver_after": 7_200}, PLAIN, PLAIN)
    nack(group, *lease(group).deliveries, delay_seconds=60)
    found = standing()
    assert (found.scheduled, found.waiting, found.in_flight, found.lag) == (3, 2, 0, 5)
    assert not found.is_scheduled_at_least
    assert timedelta(minutes=59) < found.next_scheduled_at - timezone.now() <= timedelta(hours=1)
    make_due(group)
    found = standing()
    assert (found.scheduled, found.next_scheduled_at, found.waiting) == (0, None, 5)


def test_of_very_many_the_first_are_counted_and_that_is_said(group, browser, monkeypatch):
    monkeypatch.setattr(delivery_queries, "MAX_COUNTED_SCHEDULED", 3)
    produce_kinds(group, *[{"deliver_after": 3_600 + n} for n in range(5)])
    lease(group)
    assert (standing().scheduled, standing().is_scheduled_at_least) == (3, True)
    assert "Scheduled 3+" in page(browser, group)


def test_what_has_expired_is_counted(group):
    produce_kinds(group, {"expires_after": 0.001}, {"expires_after": 60, "deliver_after": 30}, PLAIN)
    lease(group)
    let_events_expire(group)
    reconcile_deliveries()
    assert (standing().expired_total, standing().scheduled) == (2, 0)


def test_the_page_says_so_and_lists_it(group, browser):
    assert "Scheduled" not in page(browser, group)
    produce_kinds(group, LATER, {"expires_after": 0.001}, {"deliver_after": 60, "expires_after": 7_200})
    lease(group)
    text = page(browser, group)
    assert "Scheduled 2, the next" in text
    assert "with what is for later" in text
    assert "Expired 1 before they were handed out" in text
    assert text.count("scheduled") == 2
    assert "Hand out now" in text


def test_whoever_manages_it_hands_one_out_now(group, browser):
    produce_kinds(group, LATER)
    lease(group)
    delivery = Delivery.objects.get()
    assert (
        browser.post(f"/streams/orders/consumer-groups/{group.name}/deliveries/{delivery.pk}/retry-now").status_code
        == 302
    )
    assert len(lease(group).deliveries) == 1


def test_the_api_lists_and_counts_it(group, api):
    produce_kinds(group, LATER, PLAIN, {"deliver_after": 60, "expires_after": 120})
    nack(group, *lease(group).deliveries, delay_seconds=60)
    path = f"/streams/orders/consumer-groups/{group.name}/deliveries"
    found = api.get(path, state="scheduled").json()["data"]
    assert [(each["first_offset"], each["state"]) for each in found] == [(1, "scheduled"), (3, "scheduled")]
    assert [each["event_expires_at"] is None for each in found] == [True, False]
    assert [each["first_offset"] for each in api.get(path, state="waiting").json()["data"]] == [2]
    assert api.get(path, state="soon").status_code == 422
    (told,) = api.get("/streams/orders/stats").json()["consumer_groups"]
    assert (told["scheduled"], told["waiting"], told["lag"], told["expired_total"]) == (2, 1, 3, 0)
    assert told["next_scheduled_at"] == found[1]["available_at"]
