"""A group over time: painted with its gaps, chosen with the keyboard, and read as tables."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import assert_accessible, assert_fits
from tests.browser.story import tell_story
from tests.browser.test_charts import PAINTED_HEIGHT
from tests.observability.group_history import make_sample

MINUTE = timedelta(minutes=1)
PAGE = "/streams/orders/consumer-groups/warehouse/over-time"
CHARTS = ("lag", "throughput", "failures")


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    sign_in(user=told.owner)
    return told


def make_past(group, *, minutes, gap=range(0)):
    """What a group went through: up and down, without the minutes of the gap."""
    now = datetime.now(UTC)
    for age in range(minutes, 0, -1):
        done = minutes - age
        if age not in gap:
            make_sample(
                group,
                now - age * MINUTE,
                lag=200 + 150 * (age % 20),
                finished=40 * done,
                failed=done,
                dead_lettered=done // 5,
            )


@pytest.mark.parametrize("query", ["", "?window=24h"])
def test_each_chart_rises_where_something_was_recorded(page, story, query):
    make_past(story.leasing_group, minutes=50, gap=range(20, 30))
    page.goto(PAGE + query)

    for name in CHARTS:
        assert page.evaluate(PAINTED_HEIGHT, f"{name}-chart") > 0.3, name


def test_a_single_sample_between_gaps_is_seen(page, story):
    make_past(story.leasing_group, minutes=40, gap=[*range(31, 41), *range(30)])
    page.goto(PAGE)

    assert page.evaluate(PAINTED_HEIGHT, "lag-chart") > 0.3


def test_a_table_is_opened_with_the_keyboard_and_stays_open(page, story):
    make_past(story.leasing_group, minutes=50, gap=range(20, 30))
    page.goto(PAGE)
    expect(page.get_by_role("table")).to_have_count(0)

    page.get_by_text("Lag as a table").focus()
    page.keyboard.press("Enter")

    table = page.get_by_role("table", name="Lag of warehouse, every 1 min, the newest first")
    expect(table.get_by_role("row", name="not recorded").first).to_be_visible()
    # Its box scrolls, and the keyboard reaches it.
    page.keyboard.press("Tab")
    expect(page.get_by_role("region", name="Lag, every 1 min, the newest first")).to_be_focused()
    assert_accessible(page)


def test_an_own_range_is_said_in_the_viewers_zone(page, story):
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    make_sample(story.leasing_group, now - 90 * MINUTE, lag=77)
    page.goto(PAGE)
    local = page.evaluate(
        "(at) => new Date(at - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 19)",
        (now - 95 * MINUTE).timestamp() * 1000,
    )

    page.get_by_label("From").fill(local)
    page.get_by_role("button", name="Show").click()

    expect(page).to_have_url(re.compile("from="))
    expect(page.get_by_label("From")).to_have_value(local.removesuffix(":00"))
    page.get_by_text("Lag as a table").click()
    expect(page.get_by_role("cell", name="77", exact=True)).to_be_visible()


def test_a_bad_range_marks_its_field(page, story, complaints):
    page.goto(f"{PAGE}?from=2026-01-01T00:00&to=")

    expect(page.get_by_label("From")).to_be_focused()
    expect(page.get_by_label("From")).to_have_accessible_description(re.compile("Only the last 30 days are kept"))
    assert_accessible(page)
    complaints.expect("422")


@pytest.mark.parametrize("width", [1440, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen(page, story, width, scheme):
    make_past(story.leasing_group, minutes=50, gap=range(20, 30))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(PAGE)
    for name in CHARTS:
        page.locator(f"#{name}-table summary").click()

    assert_fits(page)
    assert_accessible(page)
