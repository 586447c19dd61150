"""Many dead letters: found by time and text, counted, sent again slowly, and stopped; by keyboard and on a phone."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from consumers.models import BulkAction, DeadLetter
from consumers.services.dead_letters.bulk import continue_bulk_actions
from tests.browser.accessibility import assert_accessible, assert_fits, assert_legible
from tests.browser.story import HOSTILE, tell_story
from tests.factories import make_dead_letter

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
PHONE = {"width": 390, "height": 844}
SMALL_PHONE = {"width": 320, "height": 700}


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    for offset in range(1, 13):
        error = f"Timeout after {offset} ms" if offset % 3 else f"müşteri Çelik {HOSTILE}"
        make_dead_letter(told.leasing_group, offset, last_error=error, created_at=NOON + timedelta(minutes=offset))
    sign_in(user=told.owner)
    return told


def rows(page):
    return page.locator("tbody tr")


def test_they_are_found_by_text_and_the_count_stands_there_before_anybody_presses(page, story):
    page.goto("/dead-letters")
    expect(page.locator("#totals")).to_have_text(re.compile(r"12 match:\s+12 can be sent again, 12 can be discarded"))
    field = page.get_by_label("Text in error, type, id or key")
    field.fill("çELIK")
    field.press("Enter")

    expect(page.locator("#totals")).to_contain_text("4 match")
    expect(rows(page)).to_have_count(4)
    expect(field).to_have_value("çELIK")
    page.get_by_role("link", name="Redrive all that match…").press("Enter")
    expect(page.get_by_role("dialog").locator("[data-bulk-count]")).to_have_text("4")


def test_they_are_found_by_time_in_the_viewers_zone(browser, site, sign_in, context, page, story):
    elsewhere = browser.new_context(base_url=site.url, timezone_id="Asia/Kolkata")
    elsewhere.add_cookies(context.cookies())
    there = elsewhere.new_page()
    there.goto("/dead-letters")
    there.get_by_label("Died from").fill("2026-11-28T17:35")
    there.get_by_label("Died before").fill("2026-11-28T17:38")
    there.get_by_role("button", name="Filter").click()

    # 12:05 up to 12:07 UTC.
    expect(rows(there)).to_have_count(3)
    expect(there.get_by_label("Died from")).to_have_value(re.compile("^2026-11-28T17:35"))
    elsewhere.close()


def test_a_time_that_ends_before_it_begins_is_marked(page, story, complaints):
    page.goto("/dead-letters?since=2026-11-28T12:00:00Z&until=2026-11-28T11:00:00Z")
    expect(page.get_by_label("Died before")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("Must be later than")).to_be_visible()
    assert_accessible(page)
    complaints.expect("422")


def test_many_go_slowly_are_watched_and_stopped_by_keyboard(page, story):
    page.goto("/dead-letters?text=timeout")
    page.get_by_role("link", name="Redrive all that match…").press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Note").fill("the provider is back")
    rate = dialog.get_by_label("At most a second")
    rate.fill("2")
    rate.press("Enter")
    page.wait_for_url("**/dead-letters?status=open&text=timeout")

    actions = page.get_by_role("region", name="Bulk actions")
    expect(actions).to_contain_text("0 of 8")
    expect(actions).to_contain_text("at most 2 a second")
    action = BulkAction.objects.get()
    BulkAction.objects.update(next_at=NOON)
    continue_bulk_actions()
    expect(actions).to_contain_text("2 of 8")
    page.get_by_role("button", name=f"Cancel redrive {action.pk}").press("Enter")

    expect(page.get_by_role("status").filter(has_text="Cancelled")).to_contain_text(
        "2 dead letters were sent again before"
    )
    expect(actions).to_contain_text("cancelled by")
    expect(actions.get_by_role("button")).to_have_count(0)
    action.refresh_from_db()
    assert (action.done_count, action.status, action.note) == (2, "cancelled", "the provider is back")
    assert DeadLetter.objects.filter(status="redriven").count() == 2


def test_the_list_its_dialog_and_progress_are_accessible_and_fit_a_phone(page, story):
    page.emulate_media(color_scheme="dark")
    page.goto("/dead-letters?text=timeout")
    page.get_by_role("link", name="Discard all that match…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("At most a second")).to_be_visible()
    assert_accessible(page)
    page.emulate_media(color_scheme="light")
    assert_legible(page)
    page.set_viewport_size(SMALL_PHONE)
    assert_fits(page)
    dialog.get_by_label("At most a second").fill("1")
    dialog.get_by_role("button", name="Discard 8").click()
    page.wait_for_url("**/dead-letters?status=open&text=timeout")

    expect(page.get_by_role("region", name="Bulk actions")).to_contain_text("under way")
    for size in (SMALL_PHONE, PHONE):
        page.set_viewport_size(size)
        assert_fits(page)
        assert_accessible(page)
    page.emulate_media(color_scheme="dark")
    assert_legible(page)


def test_without_scripts_it_is_asked_done_and_stopped_too(browser, site, context, story):
    plain = browser.new_context(base_url=site.url, java_script_enabled=False)
    plain.add_cookies(context.cookies())
    page = plain.new_page()
    page.goto("/dead-letters?text=timeout&since=2026-11-28T12:00")
    page.get_by_role("link", name="Discard all that match…").click()
    page.get_by_label("At most a second").fill("1")
    page.get_by_role("button", name="Discard 8").click()
    page.get_by_role("button", name=re.compile("^Cancel discard")).click()
    expect(page.get_by_role("region", name="Bulk actions")).to_contain_text("cancelled")
    assert BulkAction.objects.get().status == "cancelled"
    plain.close()
