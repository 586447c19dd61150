"""What stands on pages can be read: numbers one way, times in one language, long payloads in a box, buttons in reach."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.story import append, tell_story

LOCALE = "de-DE"


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    sign_in(user=told.owner)
    return told


def test_times_speak_the_language_of_the_page_and_tell_rows_of_one_second_apart(browser, site, context, story):
    elsewhere = browser.new_context(base_url=site.url, locale=LOCALE)
    elsewhere.add_cookies(context.cookies())
    page = elsewhere.new_page()
    page.goto("/streams/orders/events")
    expect(page.locator("#event-rows time").first).to_have_text(re.compile(r"\d\d:\d\d:\d\d\.\d{3}$"))
    page.goto("/streams/orders")
    expect(page.locator(".tile-note time").first).to_have_text(re.compile("ago|now"))
    elsewhere.close()


def test_a_long_payload_stands_in_a_box_that_opens(page, story):
    append(story.stream, {"payload": {f"line {n}": n for n in range(200)}})
    page.goto("/streams/orders/events/0/31")
    box = page.locator(".json")
    assert box.bounding_box()["height"] <= 900 * 0.75
    page.get_by_label("Show all").check()
    assert box.bounding_box()["height"] > 200 * 15


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize(
    ("path", "role", "name"),
    [
        ("/keys", "link", "^Revoke"),
        ("/keys", "link", "^Rotate"),
        ("/streams/orders/consumer-groups/billing/consume", "link", "^Park offset 1 "),
    ],
)
def test_what_can_be_done_with_a_row_is_in_reach_on_a_phone(page, story, width, path, role, name):
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(path)
    place = page.get_by_role(role, name=re.compile(name)).first.bounding_box()
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= width
