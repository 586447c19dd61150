"""A session that ends while somebody looks or types: it is said, mended in place, and nothing that was typed is lost."""

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from streams.lookup import load_stream
from streams.models import Partition
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


def stored() -> int:
    return sum(Partition.objects.values_list("head_offset", flat=True))


def sign_in_elsewhere(context, email: str) -> None:
    """In another tab, whose session and CSRF token are then this browser's."""
    context.clear_cookies(name="sessionid")
    tab = context.new_page()
    tab.goto("/sign-in")
    tab.get_by_label("E-mail").fill(email)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("navigation", name="Pages")).to_be_visible()
    tab.close()


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
    assert page.locator("#sent-rows tr:not(.rolled-back)").count() == 0
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#sent-rows .event-offset")).to_have_count(1)
    assert stored() == 1


def test_a_page_of_one_user_does_nothing_for_another_who_signed_in_elsewhere(page, producer, sign_in, complaints):
    page.goto("/send")
    page.get_by_label("Stream").fill("orders")
    sign_in(user=make_user(Role.ADMIN, Role.PRODUCER))
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("dialog", name="now")).to_contain_text("has not been sent")
    expect(page.locator("#sent-rows .event-offset")).to_have_count(0)
    page.keyboard.press("Escape")
    # And asked again, as nobody has said that it may go on.
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("dialog", name="now")).to_be_visible()
    assert stored() == 0
    complaints.expect("409")


def test_what_was_signed_in_again_in_another_tab_is_mended(page, context, producer, complaints):
    page.goto("/send")
    page.get_by_label("Stream").fill("orders")
    sign_in_elsewhere(context, producer.email)
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("status").filter(has_text="Stored")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="signed in again in another tab")).to_be_visible()
    complaints.expect("403")
    # With the token that it has now, and the first is not sent with the second.
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#sent-rows .event-offset")).to_have_count(2)
    assert stored() == 2
    # Nor once more when the session ends later.
    context.clear_cookies(name="sessionid")
    page.evaluate("htmx.trigger('#pulse', 'live')")
    page.locator("#signed-out").get_by_role("button", name="Sign in").click()
    sign_in_over(page, producer.email)
    expect(page.locator("#signed-out")).to_have_count(0)
    assert page.locator("#sent-rows tr:not(.rolled-back)").count() == 2


def test_somebody_else_who_signed_in_in_another_tab_is_asked(page, context, producer, complaints):
    other = make_user(Role.ADMIN, Role.PRODUCER, password=PASSWORD)
    page.goto("/send")
    page.get_by_label("Stream").fill("orders")
    sign_in_elsewhere(context, other.email)
    page.get_by_role("button", name="Send", exact=True).click()

    page.get_by_role("dialog", name="now").get_by_role("button", name="Go on").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#sent-rows .event-offset")).to_have_count(1)
    assert stored() == 1
    complaints.expect("403")


def test_a_token_that_stays_refused_is_not_renewed_for_ever(page, producer, complaints):
    page.goto("/send")
    page.get_by_label("Stream").fill("orders")
    tries = []

    def refuse(route):
        tries.append(route.request.headers["idempotency-key"])
        route.fulfill(status=403, body="", headers={"EventFlow-Outdated": "token"})

    page.route("**/send", refuse)
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("alert").filter(has_text="out of date")).to_contain_text("nothing was done")
    assert len(tries) == 2
    assert len(set(tries)) == 1
    complaints.expect("403")


def test_what_may_have_been_stored_before_the_session_ended_is_said_and_stored_once(
    page, context, producer, complaints
):
    page.goto("/send")
    page.get_by_label("Stream").fill("orders")

    def lose(route):
        if route.request.method == "POST" and not context.cookies("http://lost.example"):
            route.fetch()
            context.clear_cookies(name="sessionid")
            context.add_cookies([{"name": "lost", "value": "1", "url": "http://lost.example"}])
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/send", lose)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("dialog").get_by_label("E-mail")).to_be_focused()
    expect(page.get_by_text("it may have been stored")).to_be_visible()
    expect(page.locator("#sent-rows tr.uncertain")).to_have_count(1)
    sign_in_over(page, producer.email)

    expect(page.get_by_role("status").filter(has_text="Stored")).to_be_visible()
    expect(page.get_by_text("it may have been stored")).to_have_count(0)
    expect(page.locator("#sent-rows tr")).to_have_count(1)
    assert stored() == 1
    complaints.clear()  # A failed request is what this test makes.


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


def test_a_live_page_goes_on_when_its_user_has_signed_in_again_elsewhere(page, context, sign_in, site):
    story = tell_story()
    story.owner.set_password(PASSWORD)
    story.owner.save()
    sign_in(user=story.owner)
    page.goto("/streams/orders")
    context.clear_cookies(name="sessionid")
    expect(page.locator("#signed-out")).to_be_visible()
    sign_in_elsewhere(context, story.owner.email)

    expect(page.locator("[data-connection]")).to_have_text("Live")
    expect(page.locator("#signed-out")).to_have_count(0)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_live_page_of_one_user_stops_when_another_has_signed_in(page, sign_in, site, complaints):
    story = tell_story()
    sign_in(user=story.owner)
    page.goto("/streams/orders")
    other = sign_in(Role.ADMIN)

    expect(page.locator("[data-connection]")).to_have_text("Signed out")
    page.locator("#signed-out").get_by_role("button", name="Sign in").click()
    page.get_by_role("dialog", name=other.email).get_by_role("button", name="Go on").click()
    expect(page.locator("[data-connection]")).to_have_text("Live")
    expect(page.locator("#signed-out")).to_have_count(0)
    complaints.expect("409")
