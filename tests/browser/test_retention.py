"""Lowering a stream's retention in its settings: what goes is said on the page, and its name is asked for."""

import pytest
from playwright.sync_api import expect

from streams.models import Stream
from tests.browser.accessibility import assert_accessible
from tests.browser.story import append, tell_story


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    append(told.stream, {"type": "order.created", "payload": 31})
    sign_in(user=told.owner)
    return told


def test_events_are_deleted_by_retention_only_after_the_name_was_typed(page, story, complaints):
    page.goto("/streams/orders/settings")
    page.get_by_label("Description").fill("kept while it asks")
    page.get_by_label("Events", exact=True).fill("1")
    page.get_by_role("button", name="Save").click()

    confirm = page.get_by_label("Type the stream's name to confirm")
    expect(confirm).to_be_focused()
    complaints.expect("422")
    question = page.get_by_role("alert")
    expect(question).to_contain_text("30")
    expect(question).to_contain_text("events go at once")
    expect(question).to_contain_text("billing (30 events), warehouse (30 events)")
    expect(page.get_by_label("Description")).to_have_value("kept while it asks")
    expect(page.get_by_label("Events", exact=True)).to_have_value("1")
    assert_accessible(page)
    assert Stream.objects.get().retention_max_events is None

    confirm.fill("order")
    page.get_by_role("button", name="Save and delete").click()
    expect(page.get_by_text("Type orders to confirm, or keep more.")).to_be_visible()
    complaints.expect("422")

    confirm.fill("orders")
    page.get_by_role("button", name="Save and delete").click()
    expect(page.get_by_text("Settings saved")).to_be_visible()
    stream = Stream.objects.get()
    assert (stream.retention_max_events, stream.description) == (1, "kept while it asks")
