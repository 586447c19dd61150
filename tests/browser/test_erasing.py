"""An event's payload is erased from its page: the question stays open until it is answered, then the page says so."""

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import assert_accessible
from tests.browser.story import tell_story


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    sign_in(user=told.owner)
    return told


def test_a_payload_is_erased_with_a_reason_and_a_confirmation(page, story, complaints):
    page.goto("/streams/orders/events/0/3")
    expect(page.locator(".json")).to_be_visible()

    page.get_by_role("link", name="Erase payload…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Erase the payload of orders 0/3?")
    assert_accessible(page)
    dialog.get_by_label("Reason").fill("asked for")
    dialog.get_by_label("Type the offset").fill("4")
    dialog.get_by_role("button", name="Erase for good").click()
    expect(dialog).to_contain_text("Type the offset, 3, to confirm")
    complaints.expect("422")
    expect(dialog.get_by_label("Reason")).to_have_value("asked for")

    dialog.get_by_label("Type the offset").fill("3")
    dialog.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("The payload of orders 0/3 is erased")).to_be_visible()
    expect(page.get_by_text("Payload and headers were erased")).to_be_visible()
    expect(page.get_by_role("link", name="Erase payload…")).to_have_count(0)
    assert_accessible(page)

    page.goto("/streams/orders/events?from=oldest")
    expect(page.locator("#e-0-3")).to_contain_text("erased")
