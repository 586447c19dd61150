"""Looking through events: live, by filter, page by page."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.story import append, tell_story


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    sign_in(user=told.owner)
    return told


def test_new_events_appear_in_the_tail_by_themselves(page, story):
    page.goto("/streams/orders/tail")
    expect(page.locator("#tail-rows tr").first).to_contain_text("order.evil")

    append(story.stream, {"type": "order.fresh", "payload": {"n": 1}})
    expect(page.locator("#tail-rows tr").first).to_contain_text("order.fresh")
    append(story.stream, {"type": "order.fresher", "payload": {"n": 2}})
    expect(page.locator("#tail-rows tr").first).to_contain_text("order.fresher")
    expect(page.locator("#tail-rows tr", has_text="order.fresh")).to_have_count(2)


def test_a_paused_tail_stands_still_and_catches_up(page, story):
    page.goto("/streams/orders/tail")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-connection]")).to_have_text("Paused")
    append(story.stream, {"type": "order.fresh", "payload": {}})
    page.wait_for_timeout(2500)
    expect(page.locator("#tail-rows tr").first).to_contain_text("order.evil")

    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#tail-rows tr").first).to_contain_text("order.fresh")


def test_events_are_found_by_a_place_in_the_payload(page, story):
    page.goto("/streams/orders/events")
    page.get_by_label("Path in the payload").fill("order")
    page.get_by_label("Value at that path").fill("7")
    page.get_by_role("button", name="Find").click()

    expect(page.locator("#event-rows tr")).to_have_count(1)
    expect(page.locator("#event-rows tr")).to_contain_text("customer-7")
    expect(page.locator("#more")).to_contain_text("Looked at 30 events, 1 match; that is all.")


def test_events_are_found_from_a_time_on(page, story, complaints):
    page.goto("/streams/orders/events?type=order.evil")
    page.get_by_label("From").select_option("Time")
    time = page.get_by_role("textbox", name="Time")
    expect(time).to_be_focused()
    expect(page.locator("main")).to_contain_text("Nothing was looked at yet")
    expect(page.get_by_label("Type")).to_have_value("order.evil")

    page.get_by_role("button", name="Find").click()
    expect(time).to_have_attribute("aria-invalid", "true")
    expect(time).to_have_accessible_description("Write a date and a time, such as 2026-11-22T10:00.")
    expect(page.get_by_label("Type")).to_have_value("order.evil")

    time.fill("2020-01-01T00:00")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#event-rows tr")).to_have_count(1)
    expect(time).to_have_value("2020-01-01T00:00")
    expect(time).not_to_have_attribute("aria-invalid", "true")
    complaints.expect("422")


def test_an_offset_that_is_none_is_said_at_its_field(page, story, complaints):
    page.goto("/streams/orders/events?type=order.evil")
    page.get_by_label("From").select_option("Offset")
    offset = page.get_by_label("Offset", exact=True)
    expect(offset).to_have_value("1")
    expect(page.locator("#event-rows tr")).to_have_count(1)

    offset.fill("abc")
    page.get_by_role("button", name="Find").click()
    expect(offset).to_have_value("abc")
    expect(offset).to_have_accessible_description("Must be a whole number from 0 to 9223372036854775807.")
    expect(page.get_by_label("Type")).to_have_value("order.evil")

    offset.fill("29")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#event-rows tr")).to_have_count(1)
    complaints.expect("422")


def test_a_long_list_goes_on_where_it_stopped(page, story):
    append(story.stream, *({"type": "late", "payload": n} for n in range(70)))
    page.goto("/streams/orders/events?from=oldest")
    expect(page.locator("#event-rows tr")).to_have_count(50)

    page.get_by_role("link", name="More").click()
    expect(page.locator("#event-rows tr")).to_have_count(100)
    expect(page.locator("#more")).to_contain_text("That is all of them")
    offsets = page.locator("#event-rows .event-offset").all_inner_texts()
    assert [int(each) for each in offsets] == list(range(1, 101))


def test_the_tree_folds_and_shows_numbers_exactly(page, story):
    page.goto("/streams/orders/events/0/30")
    tree = page.locator(".json")
    expect(tree).to_contain_text("9223372036854775808")
    deep = tree.locator("summary", has_text='"deep"')

    deep.click()
    expect(tree.locator("details").nth(1)).not_to_have_attribute("open", "")
    expect(deep).to_contain_text("1 item")


def test_times_are_local_with_the_exact_utc_on_hover(page, story):
    page.goto("/streams/orders/events/0/1")
    shown = page.locator("dd time").first
    assert shown.get_attribute("title") == f"{shown.get_attribute('datetime')} (UTC)"
    assert shown.get_attribute("datetime").endswith("Z")


def test_times_are_in_the_viewers_zone(browser, site, sign_in, context, story):
    elsewhere = browser.new_context(base_url=site.url, timezone_id="Asia/Kolkata", locale="en-GB")
    elsewhere.add_cookies(context.cookies())
    page = elsewhere.new_page()
    page.goto("/streams/orders/events/0/1")
    shown = page.locator("dd time").first
    recorded = datetime.fromisoformat(shown.get_attribute("datetime")).astimezone(ZoneInfo("Asia/Kolkata"))

    expect(shown).to_contain_text(f"{recorded:%H:%M:%S}")
    assert shown.get_attribute("title").endswith("Z (UTC)")
    elsewhere.close()


def test_a_payload_is_copied(page, context, story):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/streams/orders/events/0/3")
    page.get_by_role("button", name="Copy payload").click()

    expect(page.get_by_role("status").filter(has_text="Payload copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == '{"order":2,"total":19.9}'


def test_where_the_clipboard_is_not_to_be_had_a_copy_leaves_the_focus_where_it_was(page, story):
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.goto("/streams/orders/events/0/3")
    button = page.get_by_role("button", name="Copy payload")
    button.press("Enter")

    expect(page.get_by_role("status").filter(has_text="Payload copied")).to_be_visible()
    expect(button).to_be_focused()
