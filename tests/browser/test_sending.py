"""Sending events by hand."""

import re

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from streams.lookup import load_stream
from streams.queries import get_event
from tests.browser.accessibility import assert_accessible, assert_fits, assert_legible
from tests.browser.story import tell_story
from tests.factories import make_stream, make_user

BIG = "123456789012345678901234567890"


@pytest.fixture
def producer(site, sign_in):
    user = make_user(Role.PRODUCER, Role.CONSUMER)
    make_stream("orders", owner=user)
    return sign_in(user=user)


def write(page, payload: str, *, stream: str = "orders") -> None:
    page.goto("/send")
    page.get_by_label("Stream").fill(stream)
    page.get_by_label("Type").fill("order.created")
    page.get_by_label("Payload").fill(payload)


def test_an_event_is_sent_and_read_back_exactly_as_written(page, producer):
    payload = f'{{"b": 1.50, "a": {BIG}, "a": "\\u00e9"}}'
    write(page, payload)
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("status").filter(has_text="Stored")).to_be_visible()
    row = page.locator("#sent-rows tr")
    expect(row).to_have_count(1)
    row.get_by_role("link", name="1").click()
    expect(page.locator(".json")).to_contain_text(BIG)
    assert payload.encode() in get_event(load_stream("orders"), 0, 1)


def test_broken_json_is_told_while_typing_and_not_sent(page, producer):
    write(page, '{"a": 1,}')

    expect(page.locator("#payload-status")).to_contain_text("Line 1, column 9: A comma is not allowed before the end")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#sent-rows tr")).to_have_count(0)


def test_formatting_changes_no_value(page, producer):
    write(page, f'{{"big":{BIG},"float":1.50,"text":"\\u0041"}}')
    page.get_by_role("button", name="Format").click()

    formatted = f'{{\n  "big": {BIG},\n  "float": 1.50,\n  "text": "\\u0041"\n}}'
    expect(page.get_by_label("Payload")).to_have_value(formatted)


def test_what_the_server_refuses_stands_at_its_field(page, producer, complaints):
    write(page, "{}")
    page.get_by_label("Type").fill("not a type!")
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_label("Type")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("beginning with a letter or digit")).to_be_visible()
    expect(page.locator("#sent-rows tr:not(.rolled-back)")).to_have_count(0)
    complaints.expect("422")


def test_the_row_stands_there_before_the_answer_and_settles(page, producer):
    write(page, '{"n": 1}')
    held = []
    page.route("**/send", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.locator("#sent-rows tr.pending")).to_contain_text("sending…")
    held[0].continue_()
    expect(page.locator("#sent-rows tr.pending")).to_have_count(0)
    expect(page.locator("#sent-rows tr")).to_contain_text("order.created")


def test_a_lost_answer_is_asked_for_again_with_the_same_key_and_stores_once(page, producer, complaints):
    write(page, '{"n": 1}')
    keys = []

    def lose_first(route):
        if route.request.method != "POST":
            route.continue_()
            return
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()  # The server does its work, but the answer is lost.
            route.fulfill(status=503, body="")
        else:
            route.continue_()

    page.route("**/send", lose_first)
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("status").filter(has_text="Stored")).to_be_visible()
    expect(page.locator("#sent-rows tr")).to_have_count(1)
    assert len(keys) == 2
    assert keys[0] == keys[1]
    page.goto("/streams/orders/events")
    expect(page.locator("#event-rows tr")).to_have_count(1)
    complaints.expect("503")


@pytest.mark.parametrize("failure", ["no connection", "429", "502", "504"])
def test_a_failure_that_passes_is_got_over_with_the_same_key(page, producer, complaints, failure):
    write(page, '{"n": 1}')
    keys = []

    def fail_twice(route):
        if route.request.method != "POST":
            route.continue_()
            return
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 2:
            route.continue_()
        elif failure == "no connection":
            route.abort("connectionreset")
        else:
            route.fulfill(status=int(failure), body="", headers={"Retry-After": "1"})

    page.route("**/send", fail_twice)
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_text("Nothing is done twice")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Stored")).to_be_visible()
    assert len(keys) == 3
    assert len(set(keys)) == 1
    complaints.clear()  # Failed requests are what this test makes.


def test_a_server_that_stays_away_rolls_the_row_back_and_keeps_what_was_written(page, producer, complaints):
    write(page, '{"n": 1}')
    page.route(
        "**/send",
        lambda route: (
            route.fulfill(status=500, body="", headers={"X-Request-Id": "request-4712"})
            if route.request.method == "POST"
            else route.continue_()
        ),
    )
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.locator("#sent-rows tr.rolled-back")).to_have_count(1)
    expect(page.get_by_text("Request request-4712")).to_be_visible()
    expect(page.get_by_label("Payload")).to_have_value('{"n": 1}')
    complaints.expect("500")


def keys_of_sends(page, answer):
    """Have `answer` decide over each submission, and collect their keys."""
    keys = []

    def note(route):
        if route.request.method != "POST":
            route.continue_()
            return
        keys.append(route.request.headers["idempotency-key"])
        answer(route, len(keys))

    page.route("**/send", note)
    return keys


def lose(route):
    """The server does its work, and nobody hears of it."""
    route.fetch()
    route.fulfill(status=500, body="", headers={"X-Request-Id": "request-4713"})


def test_what_may_have_been_stored_is_said_so_and_stored_once_however_often_it_is_retried(page, producer, complaints):
    write(page, '{"n": 1}')
    keys = keys_of_sends(page, lambda route, count: lose(route) if count < 3 else route.continue_())
    page.get_by_role("button", name="Send", exact=True).click()

    outcome = page.get_by_role("alert").filter(has_text="it may have been stored")
    expect(outcome).to_be_visible()
    expect(page.locator("#sent-rows tr")).to_contain_text("may be stored")
    assert_accessible(page)
    outcome.get_by_role("button", name="Retry").click()
    expect(page.locator("#sent-rows tr.uncertain")).to_have_count(1)
    expect(outcome).to_be_visible()
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("status").filter(has_text="Stored")).to_be_visible()
    expect(outcome).to_have_count(0)
    expect(page.locator("#sent-rows tr")).to_have_count(1)
    assert len(keys) == 3
    assert len(set(keys)) == 1
    page.goto("/streams/orders/events")
    expect(page.locator("#event-rows tr")).to_have_count(1)
    complaints.expect("500")


def test_after_the_last_try_the_next_click_has_the_same_key(page, producer, complaints):
    page.add_init_script("window.setTimeout = ((timer) => (call, wait) => timer(call, Math.min(wait, 50)))(setTimeout)")
    write(page, '{"n": 1}')
    keys = keys_of_sends(page, lambda route, count: route.abort("connectionreset") if count <= 6 else route.continue_())
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("it may have been stored")).to_be_visible()
    assert len(keys) == 6
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.locator("#sent-rows tr:not(.pending) .event-offset")).to_have_count(1)
    assert len(keys) == 7
    assert len(set(keys)) == 1
    complaints.clear()  # Failed requests are what this test makes.


def test_what_was_changed_is_another_submission(page, producer, complaints):
    write(page, '{"n": 1}')
    keys = keys_of_sends(page, lambda route, count: lose(route) if count == 1 else route.continue_())
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("it may have been stored")).to_be_visible()
    page.get_by_label("Payload").fill('{"n": 2}')
    expect(page.get_by_text("it may have been stored")).to_have_count(0)
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("status").filter(has_text="Stored")).to_be_visible()
    expect(page.locator("#sent-rows tr.uncertain")).to_contain_text("may be stored")
    assert len(set(keys)) == 2
    complaints.expect("500")


def test_a_form_in_a_dialog_says_it_too(page, producer, complaints):
    page.goto("/streams/orders/settings")
    page.get_by_role("link", name="Delete…").click()
    page.route(
        "**/streams/orders/delete",
        lambda route: route.fulfill(status=500, body="") if route.request.method == "POST" else route.continue_(),
    )
    page.get_by_label("Type the stream's name to confirm").fill("orders")
    page.get_by_role("button", name="Delete for good").click()

    expect(page.get_by_role("dialog").get_by_text("it may have been done")).to_be_visible()
    expect(page.get_by_role("dialog").get_by_role("button", name="Retry")).to_be_visible()
    complaints.expect("500")


def test_a_second_submission_has_a_key_of_its_own(page, producer):
    write(page, '{"n": 1}')
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#sent-rows tr:not(.pending)")).to_have_count(1)
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.locator("#sent-rows tr:not(.pending)")).to_have_count(2)


def test_an_event_is_edited_and_sent_as_a_new_one(page, sign_in, site):
    story = tell_story()
    sign_in(user=story.owner)
    page.goto("/streams/orders/events/0/3")
    page.get_by_role("link", name="Edit and send as new").click()

    expect(page.get_by_label("Type")).to_have_value("order.created")
    expect(page.get_by_label("Key", exact=True)).to_have_value("customer-2")
    expect(page.get_by_label("Payload")).to_have_value(re.compile('"order":2'))


def test_all_that_is_wrong_stands_at_its_field_and_goes_once_it_is_stored(page, producer, complaints):
    write(page, "{}", stream="nowhere")
    page.get_by_label("Type").fill("not a type!")
    page.get_by_text("Headers", exact=True).click()
    page.get_by_label("Headers, one a line").fill("no colon")
    page.get_by_role("button", name="Send", exact=True).click()

    wrong = page.locator("#send-form [aria-invalid=true]")
    expect(wrong).to_have_count(3)
    assert wrong.evaluate_all("all => all.map(each => each.name)") == ["stream", "type", "headers"]
    expect(page.locator("#send-form .field-error")).to_have_count(3)
    expect(page.get_by_label("Stream")).to_be_focused()

    page.get_by_label("Stream").fill("orders")
    page.get_by_label("Type").fill("order.created")
    page.get_by_label("Headers, one a line").fill("")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Stored")).to_be_visible()
    expect(wrong).to_have_count(0)
    expect(page.locator("#send-form .field-error")).to_have_count(0)
    complaints.expect("422")


def test_several_events_are_sent_at_once_and_what_is_wrong_is_named_by_its_line(page, producer, complaints):
    page.goto("/send")
    page.get_by_role("link", name="Several events").click()
    page.get_by_label("Stream").fill("orders")
    events = page.get_by_label("Events", exact=True)
    events.fill('{"payload": 1}\n{"payload": }\n{"payload": 3}')
    page.get_by_role("button", name="Send all").press("Enter")

    expect(page.get_by_role("alert").filter(has_text="Line 2")).to_be_visible()
    expect(events).to_have_attribute("aria-invalid", "true")
    expect(events).to_be_focused()
    assert_accessible(page)
    events.fill('{"payload": 1}\n{"payload": 2}\n{"payload": 3}')
    page.get_by_role("button", name="Send all").press("Enter")

    expect(page.locator("#sent-rows tr")).to_have_count(1)
    expect(page.locator("#sent-rows")).to_contain_text("3 events")
    expect(page.get_by_role("alert").filter(has_text="Line 2")).to_have_count(0)
    page.locator("#sent-rows").get_by_role("link", name="1–3").click()
    expect(page.locator("#event-rows tr")).to_have_count(3)
    complaints.expect("422")


def test_a_lost_answer_to_several_is_asked_for_again_and_stores_once(page, producer, complaints):
    page.goto("/send/many?stream=orders")
    page.get_by_label("Events", exact=True).fill('{"payload": 1}\n{"payload": 2}')
    keys = []

    def lose_first(route):
        if route.request.method != "POST":
            route.continue_()
            return
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            route.fulfill(status=503, body="")
        else:
            route.continue_()

    page.route("**/send/many", lose_first)
    page.get_by_role("button", name="Send all").click()

    expect(page.locator("#sent-rows tr")).to_have_count(1)
    assert keys[0] == keys[1]
    page.goto("/streams/orders/events")
    expect(page.locator("#event-rows tr")).to_have_count(2)
    complaints.expect("503")


def test_the_form_for_several_fits_in_both_themes(page, producer):
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("/send/many?stream=orders")
        assert_fits(page)
        assert_accessible(page)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            assert_legible(page)
