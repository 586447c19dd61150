"""A settings form in an old tab, as a person sees it that somebody else was faster than."""

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import expect

from streams.models import Stream
from streams.services.lifecycle import change_stream
from tests.browser.accessibility import assert_accessible
from tests.browser.story import tell_story

MINE = "What I have typed here is a rather long description of this stream. " * 3


@pytest.mark.parametrize("width", [1440, 390, 320])
def test_what_was_typed_can_be_read_beside_what_is_there_now(page, sign_in, site, complaints, width):
    story = tell_story()
    sign_in(user=story.owner)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/streams/orders/settings")
    page.get_by_label("Description").fill(MINE)
    with transaction.atomic():
        changes = {"description": "What somebody else has written", "is_paused": True}
        change_stream(stream=Stream.objects.get(), changes=changes, now=timezone.now())
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("link", name="Take theirs")).to_be_visible()
    assert_accessible(page)
    row = page.locator("table tr").filter(has_text="Description")
    for text in ("What I have typed", "What somebody else"):
        cell = row.locator("bdi").filter(has_text=text)
        expect(cell).to_be_visible()
        box = cell.bounding_box()
        assert box["width"] > 80
        assert box["x"] + box["width"] <= width
    complaints.expect("422")
