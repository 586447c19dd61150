"""Going about with the keyboard alone."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import SETTLE, assert_fits
from tests.browser.story import tell_story


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    sign_in(user=told.owner)
    return told


def test_the_first_tab_stop_skips_the_navigation(page, story):
    page.goto("/streams")
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    expect(skip).to_have_text(re.compile("^Skip"))
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    assert page.evaluate("() => document.activeElement.closest('main') !== null")


def test_a_slash_leads_to_the_box_that_finds_everything(page, story):
    page.goto("/streams/orders/events")
    page.keyboard.press("/")
    expect(page.get_by_label("Find anything")).to_be_focused()
    page.keyboard.type("billing")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="billing", level=1)).to_be_visible()


def test_a_slash_opens_the_menu_of_a_phone_for_its_box(page, story):
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto("/streams")
    page.keyboard.press("/")

    expect(page.get_by_label("Find anything")).to_be_focused()
    expect(page.get_by_role("button", name="Menu")).to_have_attribute("aria-expanded", "true")


def test_two_keys_lead_to_a_page_and_one_to_its_filter(page, story):
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Streams", level=1)).to_be_visible()
    # The page is shown before its scripts are there.
    page.wait_for_load_state()
    page.keyboard.press("f")

    expect(page.get_by_placeholder("Filter by name")).to_be_focused()


def test_a_question_mark_lists_the_keys(page, story):
    page.goto("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_keyboard_shows_where_it_is(page, story):
    page.goto("/streams/orders/consumer-groups/billing")
    for _ in range(25):
        page.keyboard.press("Tab")
        # A mark that comes in is there when it has come.
        page.evaluate(SETTLE)
        unmarked = page.evaluate(
            """() => {
                if (document.activeElement === document.body) return "";
                const style = getComputedStyle(document.activeElement);
                const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
                return outlined || style.boxShadow.includes("0px 0px 0px 3px") ? "" : document.activeElement.outerHTML.slice(0, 200);
            }"""
        )
        assert not unmarked, unmarked


def test_a_phone_shows_the_current_tab(page, story):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/streams/orders/consumer-groups/warehouse/settings")
    box = page.get_by_role("link", name="Settings").bounding_box()

    assert box is not None
    assert box["x"] + box["width"] <= 390


def test_settings_of_deliveries_are_asked_for_lease_mode_only(page, story):
    page.goto("/streams/orders/consumer-groups/new")
    expect(page.get_by_label("Ack wait, seconds")).to_be_hidden()
    page.get_by_label("lease: the server hands out events").check()
    expect(page.get_by_label("Ack wait, seconds")).to_be_visible()


def test_the_box_and_what_it_found_fit(page, story):
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("/find?q=e")
        assert_fits(page)


def test_whoever_is_in_a_payload_is_told_how_to_go_on_and_does(page, story):
    page.goto("/send?stream=orders")
    area = page.get_by_label("Payload", exact=True)
    area.focus()
    page.keyboard.press("Tab")
    expect(area).to_be_focused()
    told = area.evaluate(
        "each => each.getAttribute('aria-describedby').split(' ').map(id => document.getElementById(id).innerText)"
    )
    assert any("after Escape it goes on" in each for each in told)
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(area).not_to_be_focused()
