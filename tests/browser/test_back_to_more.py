"""Back to a list of which more was fetched: the same rows, and what was looked at is in view."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.story import append, tell_story

ROWS = "#event-rows tr"


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    append(told.stream, *({"payload": n} for n in range(130)))
    sign_in(user=told.owner)
    return told


def open_after_more(page, offset: int) -> None:
    """Fetch more twice and open an event that came with it."""
    page.goto("/streams/orders/events?type=event")
    for count in (100, 130):
        page.locator("#more-link").click()
        expect(page.locator(ROWS)).to_have_count(count)
    link = page.locator(f"#e-0-{offset}").get_by_role("link", name=str(offset), exact=True)
    link.scroll_into_view_if_needed()
    link.click()
    expect(page).to_have_url(re.compile(f"/events/0/{offset}$"))


def test_back_shows_the_same_rows_at_the_same_place(page, story):
    open_after_more(page, 40)
    page.go_back()
    expect(page.locator(ROWS)).to_have_count(130)
    expect(page.locator("#e-0-40")).to_be_in_viewport()
    assert "type=event" in page.url


def test_what_came_in_between_does_not_push_the_row_out(page, story):
    open_after_more(page, 40)
    append(story.stream, *({"payload": n} for n in range(60)))
    page.go_back()
    expect(page.locator("#e-0-40")).to_be_attached()
    expect(page.locator("#e-0-160")).to_be_attached()
    expect(page.locator("#e-0-220")).to_be_attached()
