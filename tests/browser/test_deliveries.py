"""The deliveries of a group, worked on from its page by mouse and keyboard."""

import re

import pytest
from playwright.sync_api import expect

from consumers.models import ConsumerGroup, Delivery
from tests.browser.story import tell_story
from tests.consumers.leases import ack, lease_one, nack

PAGE = "/streams/orders/consumer-groups/warehouse"


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    ConsumerGroup.objects.update(backoff_seconds=[3600])
    sign_in(user=told.owner)
    return told


def rows(page):
    return page.get_by_role("region", name="Deliveries").locator("tbody tr")


def test_what_waits_is_retried_now(page, story):
    nack(story.leasing_group, lease_one(story.leasing_group, 1), error="no such customer")
    before = Delivery.objects.get().available_at
    page.goto(PAGE)
    page.get_by_role("button", name="Retry now: offset 1").press("Enter")

    expect(page.get_by_role("status").filter(has_text="Offset 1 is next for whoever asks")).to_be_visible()
    assert Delivery.objects.get().available_at < before


def test_what_another_holds_is_released_after_a_question(page, story):
    held = lease_one(story.leasing_group, 3, consumer="worker-7")
    page.goto(PAGE)
    page.get_by_role("link", name="Release… offset 1").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("worker-7")
    dialog.get_by_role("button", name="Release").click()

    expect(dialog).to_have_count(0)
    expect(rows(page)).to_contain_text("waiting")
    assert ack(story.leasing_group, held) == ["lease_lost"]


def test_the_list_is_sorted_and_stays_so_while_it_follows(page, story):
    failed = lease_one(story.leasing_group, 1)
    lease_one(story.leasing_group, 2)
    nack(story.leasing_group, failed)
    page.goto(PAGE)
    expect(rows(page).first).to_contain_text("waiting")
    page.get_by_role("columnheader", name="State").get_by_role("link").click()

    expect(page.get_by_role("columnheader", name="State")).to_have_attribute("aria-sort", "ascending")
    expect(rows(page).first).to_contain_text("leased")
    lease_one(story.leasing_group, 1)
    expect(rows(page)).to_have_count(3)
    expect(rows(page).last).to_contain_text("waiting")
    rows(page).last.get_by_role("link", name="1", exact=True).click()
    expect(page).to_have_url(re.compile("/streams/orders/events/0/1$"))
