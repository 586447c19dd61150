"""What stands on pages can be read: numbers one way, times in one language, long payloads in a box, buttons in reach."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import assert_accessible, assert_fits, assert_legible
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


def test_a_payload_of_very_many_values_is_folded_until_somebody_looks(page, story):
    append(story.stream, {"payload": {"rows": [list(range(100)) for _ in range(100)], "last": True}})
    page.goto("/streams/orders/events/0/31")
    expect(page.locator(".json")).to_contain_text("100 items")
    expect(page.locator(".json")).to_contain_text('"last": true')
    assert page.locator(".json li").count() == 2

    page.locator(".json summary").filter(has_text="100 items").click()
    expect(page.locator(".json li")).to_have_count(102)


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


@pytest.mark.parametrize("path", ["/streams/orders/events", "/streams/orders/tail", "/streams/orders"])
def test_a_row_opens_in_place_by_keyboard_and_its_payload_is_asked_for_only_then(page, sign_in, site, path):
    story = tell_story()
    sign_in(user=story.owner)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/events/0/29") else None)
    page.goto(path)
    button = page.get_by_role("button", name="Payload of 29")
    expect(button).to_have_attribute("aria-expanded", "false")
    assert asked == []

    button.focus()
    page.keyboard.press("Enter")

    opened = page.locator("#x-0-29")
    expect(opened.locator(".json")).to_contain_text("28")
    expect(button).to_have_attribute("aria-expanded", "true")
    assert len(asked) == 1
    assert_accessible(page)
    # It stays open while the rest of the page is live.
    page.wait_for_timeout(2_500)
    expect(opened).to_be_visible()
    opened.get_by_role("link", name="All about it").focus()
    page.keyboard.press("Escape")
    expect(opened).to_have_count(0)
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")


def test_an_open_row_fits_and_is_legible_in_both_themes(page, sign_in, site):
    story = tell_story()
    sign_in(user=story.owner)
    page.emulate_media(color_scheme="dark")
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("/streams/orders/events")
        page.get_by_role("button", name="Payload of 30").click()
        expect(page.locator("#x-0-30 .json")).to_be_visible()
        assert_fits(page)
    assert_accessible(page)
    page.emulate_media(color_scheme="light")
    assert_legible(page)


def test_a_row_whose_event_is_gone_does_not_stay_open(page, sign_in, site, complaints):
    story = tell_story()
    sign_in(user=story.owner)
    page.goto("/streams/orders/events")
    page.route("**/events/0/30", lambda route: route.fulfill(status=404, body=""))
    page.get_by_role("button", name="Payload of 30").click()

    expect(page.locator("#x-0-30")).to_have_count(0)
    expect(page.get_by_role("button", name="Payload of 30")).to_have_attribute("aria-expanded", "false")
    complaints.expect("404")
