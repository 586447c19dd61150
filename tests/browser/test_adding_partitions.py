"""Adding partitions in a stream's settings: what that changes is said on the page, and its name is asked for."""

import pytest
from playwright.sync_api import expect

from streams.models import Stream
from tests.browser.accessibility import assert_accessible
from tests.browser.story import tell_story


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story(partitions=2)
    sign_in(user=told.owner)
    return told


def test_they_are_added_only_after_the_name_was_typed(page, story, complaints):
    page.goto("/streams/orders/settings")
    partitions = page.get_by_label("Partitions", exact=True)
    expect(partitions).to_have_value("2")
    partitions.fill("3")
    page.get_by_role("button", name="Save").click()

    confirm = page.get_by_label("Type the stream's name to confirm")
    expect(confirm).to_be_focused()
    complaints.expect("422")
    question = page.get_by_role("alert")
    expect(question).to_contain_text("2 partitions become 3, for good")
    expect(question).to_contain_text("About 67 % of all keys")
    expect(question).to_contain_text("billing, warehouse begin the new partitions at their first event")
    expect(partitions).to_have_value("3")
    assert_accessible(page)
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert Stream.objects.get().partition_count == 2

    confirm.fill("orders")
    page.get_by_role("button", name="Save and add partitions").click()
    expect(page.get_by_text("Settings saved")).to_be_visible()
    assert Stream.objects.get().partition_count == 3
    expect(page.get_by_label("Partitions", exact=True)).to_have_value("3")
