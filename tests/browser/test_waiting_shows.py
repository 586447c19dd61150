"""What is fetched into a page shows that it is on its way, for as long as it is."""

import pytest
from playwright.sync_api import expect

from tests.browser.story import append, tell_story


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    append(told.stream, *({"payload": n} for n in range(30)))
    sign_in(user=told.owner)
    return told


@pytest.fixture
def held(page):
    """Requests of the page's scripts whose answers wait until `let_go` is called."""
    waiting = []

    def hold(route):
        if route.request.headers.get("hx-request"):
            waiting.append(route)
        else:
            route.continue_()

    def let_go() -> None:
        for route in waiting:
            route.continue_()

    page.goto("/streams/orders/events")
    page.route("**/*", hold)
    return let_go


def test_a_row_that_opens_has_a_placeholder_until_its_payload_is_there(page, story, held):
    button = page.get_by_role("button", name="Payload of 60")
    button.click()
    place = page.locator(".row-detail .skeleton").first
    expect(place).to_be_visible()
    held()
    expect(page.locator(".row-detail")).to_contain_text("29")
    expect(page.locator(".row-detail .skeleton")).to_have_count(0)


def test_more_has_a_placeholder_until_its_rows_are_there(page, story, held):
    expect(page.locator("#more .skeleton")).to_be_hidden()
    page.locator("#more-link").click()
    expect(page.locator("#more .skeleton")).to_be_visible()
    held()
    expect(page.locator("#event-rows tr")).to_have_count(60)
