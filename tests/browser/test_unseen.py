"""Characters that nobody sees, or that turn round what stands beside them, can be seen; copies are what was sent."""

import pytest
from playwright.sync_api import expect

from tests.browser.story import append, tell_story

KEY = "pay\u202eeulb\u200b"
PAYLOAD = {"na\u200bme": "in\u2067voice\u00ad", "n": 1}


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    append(told.stream, {"type": "order.odd", "key": KEY, "headers": {"a": "b\u2060"}, "payload": PAYLOAD})
    sign_in(user=told.owner)
    return told


def test_each_is_drawn_and_turns_nothing_round(page, story):
    page.goto("/streams/orders/events/0/31")
    key = page.locator("dd bdi", has_text="pay")
    drawn = key.locator(".unseen").evaluate_all("all => all.map(each => getComputedStyle(each, '::before').content)")
    assert drawn == ['"U+202E"', '"U+200B"']
    assert key.locator(".unseen").first.bounding_box()["width"] > 20
    assert page.locator(".json .unseen").evaluate_all("all => all.map(each => each.dataset.code)") == [
        "U+200B",
        "U+2067",
        "U+00AD",
    ]
    # Left to right, as it was sent: "eulb" begins behind the mark and stays in its order.
    places = key.evaluate(
        """element => {
            const text = [...element.childNodes].find(node => node.data === "eulb");
            return [0, 1].map(at => {
                const range = document.createRange();
                range.setStart(text, at);
                range.setEnd(text, at + 1);
                return range.getBoundingClientRect().left;
            });
        }"""
    )
    assert places[0] < places[1]


def test_what_is_copied_is_what_was_sent(page, context, story):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/streams/orders/events/0/31")
    page.get_by_role("button", name="Copy payload").click()
    expect(page.get_by_role("status").filter(has_text="Payload copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == '{"na\u200bme":"in\u2067voice\u00ad","n":1}'

    selected = page.locator("dd bdi", has_text="pay").evaluate(
        "element => { getSelection().selectAllChildren(element); return getSelection().toString(); }"
    )
    assert selected == KEY
