"""Times in a zone that is not the browser's: shown, typed and drawn in the one that a person chose."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from accounts.models import User
from tests.browser.accessibility import assert_accessible, assert_fits
from tests.browser.story import tell_story
from tests.observability.group_history import make_sample

CHOSEN = "America/New_York"
OF_THE_BROWSER = "Asia/Kolkata"
GROUP = "/streams/orders/consumer-groups/warehouse"


@pytest.fixture
def story(site, sign_in):
    told = tell_story()
    sign_in(user=told.owner)
    return told


@pytest.fixture
def elsewhere(browser, site, context, story):
    """A page of the story's owner in a browser that stands in Kolkata."""
    made = browser.new_context(base_url=site.url, timezone_id=OF_THE_BROWSER, reduced_motion="reduce")
    made.add_cookies(context.cookies())
    yield made.new_page()
    made.close()


def choose(story, zone=CHOSEN):
    User.objects.filter(pk=story.owner.pk).update(time_zone=zone)


def test_a_zone_is_chosen_by_keyboard(page, story):
    page.goto("/account")
    page.get_by_label("Show times in").focus()
    page.keyboard.type("America/New_Y")
    page.get_by_role("button", name="Save the time zone").press("Enter")

    expect(page.get_by_role("status").filter(has_text=f"Times are in {CHOSEN} now")).to_be_visible()
    expect(page.get_by_label("Show times in")).to_have_value(CHOSEN)
    expect(page.locator("#h-zone")).to_contain_text(f"({CHOSEN}).")
    assert_accessible(page)
    page.set_viewport_size({"width": 320, "height": 700})
    assert_fits(page)


def test_times_are_in_the_chosen_zone_and_not_in_the_browsers(elsewhere, story):
    choose(story)
    elsewhere.goto("/streams/orders/events/0/1")
    shown = elsewhere.locator("dd time").first
    recorded = datetime.fromisoformat(shown.get_attribute("datetime"))
    expect(shown).to_contain_text(f"{recorded.astimezone(ZoneInfo(CHOSEN)):%H:%M:%S}")
    assert shown.get_attribute("title").endswith("Z (UTC)")


@pytest.mark.parametrize(("zone", "named"), [(CHOSEN, CHOSEN), ("", "Asia/(Kolkata|Calcutta)")])
def test_charts_tables_and_fields_say_which_zone(elsewhere, story, zone, named):
    choose(story, zone)
    make_sample(story.leasing_group, datetime.now(UTC) - timedelta(minutes=5), lag=3)
    elsewhere.goto(f"{GROUP}/over-time")
    expect(elsewhere.locator("#lag-chart .chart-zone")).to_have_text(re.compile(f"^Times in {named}$"))
    expect(elsewhere.get_by_text(re.compile(f"^Lag as a table · times in {named}$"))).to_be_visible()
    expect(elsewhere.get_by_label(re.compile(f"^From \\({named}\\)$"))).to_be_visible()


def test_what_is_typed_is_meant_in_the_chosen_zone(elsewhere, story):
    choose(story)
    elsewhere.goto("/streams/orders/events?from=time")
    now = datetime.now(ZoneInfo(CHOSEN))
    field = elsewhere.get_by_label("Time")
    for minutes, count in ((-1, 30), (1, 0)):
        typed = f"{now + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}"
        field.fill(typed)
        elsewhere.get_by_role("button", name="Find", exact=True).click()
        expect(elsewhere).to_have_url(re.compile(f"time={typed.replace(':', '(:|%3A)')}"))
        expect(elsewhere.locator("#event-rows tr")).to_have_count(count)
        expect(field).to_have_value(re.compile(f"^{typed.removesuffix(':00')}"))


def test_a_time_that_clocks_skip_is_said_before_it_is_sent(browser, site, context, story):
    berlin = browser.new_context(base_url=site.url, timezone_id="Europe/Berlin")
    berlin.add_cookies(context.cookies())
    page = berlin.new_page()
    page.goto("/streams/orders/events?from=time")
    field = page.get_by_label("Time")
    field.fill("2026-03-29T02:30")
    page.get_by_role("button", name="Find", exact=True).click()
    assert "Clocks skip this time" in field.evaluate("each => each.validationMessage")

    field.fill("2026-03-29T03:30")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page).to_have_url(re.compile("time=2026-03-29T01(:|%3A)30"))
    expect(field).to_have_value(re.compile("2026-03-29T03:30"))
    berlin.close()


def test_a_chosen_zone_says_so_too(elsewhere, story):
    choose(story, "Europe/Berlin")
    elsewhere.goto("/streams/orders/events?from=time")
    elsewhere.get_by_label("Time").fill("2026-03-29T02:30")
    elsewhere.get_by_role("button", name="Find", exact=True).click()
    expect(elsewhere.locator("#h-time")).to_have_text(
        "Clocks in Europe/Berlin skip this time: there is no 02:30 on that day."
    )
    expect(elsewhere.get_by_label("Time")).to_have_value("2026-03-29T02:30")
