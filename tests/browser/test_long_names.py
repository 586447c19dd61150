"""Names as long as they may be: they are read whole, and no page is widened by them, however narrow it is."""

import re

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from accounts.waits import run_blocking
from consumers.services.members import note_member_async
from tests.browser.accessibility import assert_fits
from tests.browser.conftest import PASSWORD
from tests.browser.story import append
from tests.factories import make_group, make_key, make_stream, make_user
from tests.observability.alerts.rules import make_channel

LONG = "a" * 40 + "-" + "b" * 40 + "." + "c" * 46
GROUP = f"/streams/{LONG}/consumer-groups/{LONG}"
# What is cut: wider inside than it shows.
IS_CUT = "each => each.scrollWidth > each.clientWidth + 1"


@pytest.fixture
def owner(site, page, sign_in):
    made = make_user(
        Role.PRODUCER, Role.CONSUMER, email=f"{'x' * 60}@{'y' * 60}.example.com", name="N" * 120, password=PASSWORD
    )
    stream = make_stream(
        LONG,
        owner=made,
        retention_max_age_seconds=365 * 86_400 + 43_200,
        retention_max_bytes=2**40 - 2**27,
        retention_max_events=9_999,
        labels={"l" * 64: "v" * 256},
    )
    append(
        stream,
        *(
            {"type": "t" * 128, "key": "k" * 90, "headers": {"h" * 64: "v" * 256}, "payload": {"n": n}}
            for n in range(3)
        ),
    )
    group = make_group(stream, LONG, mode="lease")
    run_blocking(note_member_async(group_id=group.pk, name="m" * 128))
    make_channel(made, name="W" * 120)
    return sign_in(user=made)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/keys",
        "/alerts/rules/new",
        "/find?q=aaa",
        f"/streams/{LONG}",
        f"/streams/{LONG}/events",
        f"/streams/{LONG}/events/0/1",
        GROUP,
    ],
)
def test_a_page_fits_the_narrowest_phone(page, owner, path):
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(path)
    assert_fits(page)
    for scrolling in page.locator(".table-scroll").all():
        assert not scrolling.evaluate(IS_CUT), path


@pytest.mark.parametrize("width", [1280, 390])
def test_types_and_keys_are_wrapped_and_not_cut(page, owner, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"/streams/{LONG}/events")
    row = page.locator("#event-rows tr").first
    shown = row.locator(".badge-type")
    assert shown.inner_text() == "t" * 128
    assert not shown.evaluate(IS_CUT)
    preview = row.locator(".event-preview")
    expect(preview).to_be_visible()
    assert preview.bounding_box()["x"] + 20 < width


def test_the_fields_of_a_range_are_level_when_one_is_wrong(page, owner, complaints):
    page.goto(f"{GROUP}/over-time?from=")
    expect(page.locator("#h-from")).to_be_visible()
    tops = {page.locator(each).bounding_box()["y"] for each in ("#f-from", "#f-to")}
    assert len(tops) == 1
    button = page.get_by_role("button", name="Show", exact=True).bounding_box()
    assert abs(button["y"] - tops.pop()) < 3
    complaints.expect("422")


@pytest.mark.parametrize("width", [1280, 1024])
def test_a_key_for_a_stream_with_a_long_name_can_be_revoked_without_scrolling(page, owner, width):
    make_key(owner, name="k" * 120, streams=[LONG])
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/keys")
    assert_fits(page)
    place = page.get_by_role("link", name=re.compile("^Revoke")).bounding_box()
    assert place["x"] + place["width"] <= width
