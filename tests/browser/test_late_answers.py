"""Answers that come when the page has gone on: they take nothing out of anybody's hands, and are told all the same."""

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from consumers.models import DeadLetter
from tests.browser.story import append, tell_story
from tests.factories import make_dead_letter, make_user

# For an answer to come and to be shown.
LONG_ENOUGH_MS = 700


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    for offset in (1, 2, 3):
        make_dead_letter(told.leasing_group, offset)
    sign_in(user=told.owner)
    return told


def hold(page, path: str, method: str = "GET") -> list:
    """Hold back what is asked for, until the test lets it go on."""
    held: list = []
    page.route(path, lambda route: held.append(route) if route.request.method == method else route.continue_())
    return held


def wait_for(page, held: list, count: int = 1) -> None:
    for _ in range(200):
        if len(held) >= count:
            return
        page.wait_for_timeout(50)
    pytest.fail("it was not asked for")


def test_what_is_chosen_while_a_live_answer_is_on_its_way_stays_chosen(page, story):
    page.goto("/dead-letters")
    held = hold(page, "**/dead-letters")
    page.evaluate("htmx.trigger('#region', 'live')")
    wait_for(page, held)
    make_dead_letter(story.leasing_group, 4)
    page.locator("[data-select-row]").nth(1).check()
    held[0].continue_()
    page.wait_for_timeout(LONG_ENOUGH_MS)

    expect(page.locator("[data-select-row]:checked")).to_have_count(1)
    expect(page.locator("[data-select-row]")).to_have_count(3)
    page.unroute("**/dead-letters")
    page.locator("[data-select-row]").nth(1).uncheck()
    page.locator("[data-select-row]").nth(1).blur()
    page.evaluate("document.dispatchEvent(new CustomEvent('refresh-live'))")
    expect(page.locator("[data-select-row]")).to_have_count(4)


def test_of_two_questions_the_one_that_was_asked_for_last_stays(page, story):
    page.goto("/alerts")
    held = hold(page, "**/alerts/*/new")
    page.get_by_role("link", name="New channel").click()
    page.get_by_role("link", name="New rule").click()
    wait_for(page, held, 2)
    held[1].continue_()
    expect(page.get_by_role("dialog", name="New alert rule")).to_be_visible()
    held[0].continue_()
    page.wait_for_timeout(LONG_ENOUGH_MS)

    expect(page.get_by_role("dialog", name="New alert rule")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(1)


def discard_and_leave(page) -> list:
    page.goto("/dead-letters")
    page.locator("[data-select-all]").check()
    page.get_by_role("button", name="Discard chosen").click()
    held = hold(page, "**/dead-letters/discard", "POST")
    page.get_by_role("dialog").get_by_role("button", name="Discard 3").click()
    wait_for(page, held)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    return held


def test_what_failed_after_its_dialog_was_closed_is_told_and_can_be_tried_again(page, story, complaints):
    discard_and_leave(page)[0].fulfill(status=500, body="")
    page.unroute("**/dead-letters/discard")

    outcome = page.get_by_role("status").filter(has_text="it may have been done")
    outcome.get_by_role("button", name="Retry").click()
    expect(
        page.get_by_text("No dead letter", exact=False).or_(page.get_by_text("Nothing was given up"))
    ).to_be_visible()
    assert set(DeadLetter.objects.values_list("status", flat=True)) == {"discarded"}
    complaints.expect("500")


def test_what_was_typed_into_a_time_stays_when_more_is_fetched(page, story):
    append(story.stream, *({"payload": number} for number in range(80)))
    page.goto("/streams/orders/events?from=time&time=2020-11-28T12:00:00Z")
    field = page.locator("input[data-local-time]")
    field.fill("2021-01-01T10:00:00")
    page.locator("#more-link").click()

    expect(page.locator("#event-rows tr.row-new")).not_to_have_count(0)
    expect(field).to_have_value("2021-01-01T10:00")


def test_a_change_that_leads_to_another_page_is_not_said_to_have_failed_before_that_is_there(page, story):
    make_user(Role.PRODUCER, email="colleague@example.com")
    page.goto("/streams/orders/settings")
    # What this page says is gone with it.
    page.evaluate(
        "new MutationObserver(([{ target }]) => { sessionStorage.said = target.textContent; })"
        ".observe(document.getElementById('toasts'), { childList: true })"
    )
    page.get_by_label("Share with").fill("colleague@example.com")
    page.get_by_role("checkbox", name="produce").check()
    page.get_by_role("button", name="Share", exact=True).click()

    expect(page.get_by_role("status").filter(has_text="colleague@example.com")).to_be_visible()
    assert page.evaluate("sessionStorage.said ?? ''") == ""
