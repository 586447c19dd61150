"""A session that ends while somebody looks or types: it is said, mended in place, and nothing that was typed is lost."""

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from streams.lookup import load_stream
from streams.queries import get_event
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import PASSWORD
from tests.browser.story import append, tell_story
from tests.factories import make_stream, make_user

PAYLOAD = '{"typed": "a long time"}'


@pytest.fixture
def producer(site, sign_in):
    user = make_user(Role.PRODUCER, Role.CONSUMER, password=PASSWORD)
    make_stream("orders", owner=user)
    return sign_in(user=user)


def write_and_send(page, context) -> None:
    page.goto("/send")
    page.get_by_label("Stream").fill("orders")
    page.get_by_label("Payload").fill(PAYLOAD)
    context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Send", exact=True).click()


def sign_in_over(page, email: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail").fill(email)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()


def test_a_form_is_sent_after_signing_in_on_the_spot(page, context, producer, complaints):
    write_and_send(page, context)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("E-mail")).to_be_focused()
    assert_accessible(page)
    dialog.get_by_label("E-mail").fill(producer.email)
    dialog.get_by_label("Password").fill("not this one")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_contain_text("wrong")
    expect(dialog.get_by_label("Password")).to_be_focused()
    complaints.expect("422")
    sign_in_over(page, producer.email)

    expect(page.get_by_role("status").filter(has_text="Stored")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#signed-out")).to_have_count(0)
    assert PAYLOAD.encode() in get_event(load_stream("orders"), 0, 1)
    # And once more: the page has the token that it needs now.
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#sent-rows .event-offset")).to_have_count(2)


def test_who_does_not_want_to_sign_in_keeps_what_was_typed(page, context, producer):
    write_and_send(page, context)
    expect(page.get_by_role("dialog").get_by_label("E-mail")).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_label("Payload")).to_have_value(PAYLOAD)
    page.locator("#signed-out").get_by_role("button", name="Sign in").click()
    sign_in_over(page, producer.email)
    expect(page.locator("#signed-out")).to_have_count(0)
    expect(page.locator("#sent-rows .event-offset")).to_have_count(0)


def test_nothing_is_sent_under_another_name_before_they_say_so(page, context, producer):
    other = make_user(Role.ADMIN, Role.PRODUCER, password=PASSWORD)
    write_and_send(page, context)
    sign_in_over(page, other.email)

    whose = page.get_by_role("dialog", name=f"You are {other.email} now")
    expect(whose).to_contain_text("has not been sent")
    expect(page.locator("#sent-rows .event-offset")).to_have_count(0)
    whose.get_by_role("button", name=f"Go on as {other.email}").click()
    expect(page.get_by_label("Payload")).to_have_value(PAYLOAD)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#sent-rows .event-offset")).to_have_count(1)


def test_a_page_of_one_user_does_nothing_for_another_who_signed_in_elsewhere(page, producer, sign_in, complaints):
    page.goto("/send")
    page.get_by_label("Stream").fill("orders")
    sign_in(user=make_user(Role.ADMIN, Role.PRODUCER))
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("alert").filter(has_text="now")).to_contain_text("Nothing was done")
    expect(page.locator("#sent-rows .event-offset")).to_have_count(0)
    complaints.expect("409")


def test_a_live_page_says_why_it_stopped_and_goes_on(page, context, sign_in, site):
    story = tell_story()
    story.owner.set_password(PASSWORD)
    story.owner.save()
    sign_in(user=story.owner)
    page.goto("/streams/orders")
    context.clear_cookies(name="sessionid")

    expect(page.locator("#signed-out")).to_contain_text("does not renew itself any more")
    expect(page.locator("[data-connection]")).to_have_text("Signed out")
    assert_accessible(page)
    page.locator("#signed-out").get_by_role("button", name="Sign in").click()
    sign_in_over(page, story.owner.email)
    expect(page.locator("[data-connection]")).to_have_text("Live")
    append(story.stream, {"type": "after.signing.in", "payload": {}})
    expect(page.locator("#region")).to_contain_text("after.signing.in")
