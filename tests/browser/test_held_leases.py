"""Leases taken in a browser: there again after a reload, counted down, and not left behind unsaid."""

import re
from datetime import timedelta

import pytest
from django.db.models import F
from playwright.sync_api import expect

from consumers.models import ConsumerGroup, Delivery, GroupMember
from tests.browser.story import tell_story

PAGE = "/streams/orders/consumer-groups/warehouse/consume"


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    sign_in(user=told.owner)
    return told


def delivery(page):
    return page.get_by_role("region", name=re.compile("^Delivery"))


def lease(page) -> None:
    page.goto(PAGE)
    page.get_by_role("button", name="Lease", exact=True).click()
    expect(delivery(page)).to_have_count(1)


def test_a_lease_is_there_again_after_a_reload_and_is_acked(page, story):
    lease(page)
    expect(delivery(page)).to_contain_text(re.compile(r"yours until .*, \d+ s left"))
    page.once("dialog", lambda dialog: dialog.accept())
    page.reload()

    expect(delivery(page)).to_contain_text("1–5")
    expect(delivery(page)).to_contain_text(re.compile(r"\d+ s left"))
    delivery(page).get_by_role("button", name="Ack", exact=True).click()

    expect(delivery(page)).to_have_count(0)
    expect(page.get_by_text("Before you leave:")).to_be_hidden()
    assert not Delivery.objects.exists()
    assert not GroupMember.objects.filter(group=story.leasing_group).exists()


def test_leaving_with_something_in_hand_asks_first_and_says_how_to_give_it_back(page, story):
    lease(page)
    asked = []

    def stay(dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.get_by_role("link", name="Progress").click()

    expect(page.get_by_role("status").filter(has_text="You still hold a delivery")).to_be_visible()
    assert asked == ["beforeunload"]
    assert page.url.endswith(PAGE)
    page.get_by_role("button", name="Release all").click()
    expect(delivery(page)).to_have_count(0)
    assert Delivery.objects.get().state == "waiting"

    page.get_by_role("link", name="Progress").click()
    page.wait_for_url("**/warehouse")
    assert asked == ["beforeunload"]


def test_a_lease_that_runs_out_before_their_eyes_is_told_so(page, story):
    ConsumerGroup.objects.filter(pk=story.leasing_group.pk).update(ack_wait_seconds=3)
    lease(page)
    page.get_by_label("What went wrong").focus()

    expect(delivery(page)).to_contain_text("Your lease ran out", timeout=20_000)
    expect(delivery(page).locator("[data-ran-out]")).to_be_focused()
    expect(delivery(page).get_by_role("button")).to_have_count(0)
    expect(page.get_by_text("Before you leave:")).to_be_hidden()
    page.goto("/streams/orders/consumer-groups/warehouse")
    expect(page.get_by_role("heading", level=1)).to_have_text("warehouse")


def test_a_browser_whose_clock_is_wrong_counts_down_all_the_same(page, story):
    page.clock.set_system_time("2031-01-01T00:00:00Z")
    lease(page)
    expect(delivery(page)).to_contain_text(re.compile(r", [12]?\d s left|, 30 s left"))
    Delivery.objects.update(lease_expires_at=F("lease_expires_at") + timedelta(hours=2))
    page.once("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(delivery(page)).to_contain_text("2 h 0 min left")
