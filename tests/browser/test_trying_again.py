"""What waits to be sent again: sent once by hand or by the clock, as it was written, and told when it is given up."""

import re

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from streams.models import Partition
from tests.browser.story import tell_story
from tests.factories import make_stream, make_user

PAUSE_SECONDS = "1"
# By then a try that the clock makes would have come.
AFTER_THE_PAUSE_MS = 2200


@pytest.fixture
def producer(site, sign_in):
    user = make_user(Role.PRODUCER, Role.CONSUMER)
    make_stream("orders", owner=user)
    return sign_in(user=user)


def refuse_first(page, path: str) -> list[str]:
    """Have the server be away for the first submission, and collect what is submitted."""
    sent: list[str] = []

    def answer(route):
        if route.request.method != "POST":
            route.continue_()
            return
        sent.append(route.request.post_data)
        if len(sent) == 1:
            route.fulfill(status=503, body="", headers={"Retry-After": PAUSE_SECONDS})
        else:
            route.continue_()

    page.route(path, answer)
    return sent


def send_in_vain(page) -> list[str]:
    page.goto("/send?stream=orders")
    page.get_by_label("Type").fill("order.created")
    page.get_by_label("Payload").fill('{"n": 1}')
    sent = refuse_first(page, "**/send")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Nothing is done twice")).to_be_visible()
    return sent


def stored() -> int:
    return sum(Partition.objects.values_list("head_offset", flat=True))


def test_who_does_not_wait_for_the_next_try_sends_it_once(page, producer, complaints):
    sent = send_in_vain(page)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#sent-rows .event-offset")).to_have_count(1)
    page.wait_for_timeout(AFTER_THE_PAUSE_MS)

    assert len(sent) == 2
    assert stored() == 1
    expect(page.locator("#sent-rows tr")).to_have_count(1)
    complaints.expect("503")


def test_what_is_typed_while_it_waits_is_not_sent_by_itself(page, producer, complaints):
    sent = send_in_vain(page)
    page.get_by_label("Payload").fill('{"n": 12}')

    expect(page.get_by_role("status").filter(has_text="Not sent again")).to_contain_text("may have been done")
    expect(page.locator("#sent-rows tr.uncertain")).to_contain_text("may be stored")
    expect(page.get_by_text("Nothing is done twice")).to_have_count(0)
    assert len(sent) == 1
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#sent-rows .event-offset")).to_have_count(1)
    expect(page.locator("#sent-rows tr.uncertain")).to_have_count(1)
    assert stored() == 1
    complaints.expect("503")


def test_something_else_is_sent_by_hand_while_it_waits(page, producer, complaints):
    sent = send_in_vain(page)
    page.get_by_label("Payload").fill('{"n": 2}')
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#sent-rows .event-offset")).to_have_count(1)
    page.wait_for_timeout(AFTER_THE_PAUSE_MS)

    assert len(sent) == 2
    expect(page.locator("#sent-rows tr.uncertain")).to_contain_text("may be stored")
    assert stored() == 1
    complaints.expect("503")


def test_an_open_row_that_cannot_be_had_is_told_as_that_and_nothing_else(page, sign_in, complaints):
    sign_in(user=tell_story().owner)
    page.goto("/streams/orders/events")
    tried: list[str] = []

    def fail_first(route):
        tried.append(route.request.url)
        if len(tried) == 1:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route(re.compile(r"/events/0/\d+$"), fail_first)
    page.get_by_role("button", name="Payload of 30").click()

    expect(page.locator(".row-detail .json")).to_be_visible()
    expect(page.get_by_text("Something broke on this page")).to_have_count(0)
    assert len(tried) == 2
    assert not [each for each in complaints if each.startswith("exception")]
    complaints.clear()  # The request that failed is what this test makes.
