"""Every page, for everybody who may see it: silent console, accessible, and nothing hostile comes alive."""

from collections.abc import Iterator

import pytest
from django.test import override_settings
from playwright.sync_api import expect

from accounts.roles import Role
from consumers.models import DeadLetter
from consumers.services.dead_letters.report import report_dead_letter
from consumers.services.leasing import Nack, lease_deliveries, nack_deliveries
from observability.models import AlertNotification, AlertRule
from streams.lookup import load_stream
from tests.browser.accessibility import assert_accessible, assert_fits, assert_legible
from tests.browser.conftest import PASSWORD, Site
from tests.browser.story import HOSTILE, Story, append, tell_story
from tests.observability.alerts.rules import look, make_channel, make_rule

FOR_ALL = ["/", "/find", "/find?q=order", "/find?q=nothing", "/streams", "/keys", "/audit", "/account"]
FOR_CONSUMERS = [
    "/consumer-groups",
    "/dead-letters",
    "/streams/orders",
    "/streams/orders/events",
    "/streams/orders/events?from=time",
    "/streams/orders/events?from=time&time=2020-01-01T00:00",
    "/streams/orders/events?type=order.evil&path=big",
    "/streams/orders/events/0/30",
    "/streams/orders/tail",
    "/streams/orders/schemas",
    "/streams/orders/schemas/of/order.created",
    "/streams/orders/consumer-groups",
    "/streams/orders/consumer-groups/new",
    "/streams/orders/consumer-groups/billing",
    "/streams/orders/consumer-groups/billing/over-time",
    "/streams/orders/consumer-groups/billing/consume",
    "/streams/orders/consumer-groups/billing/seek",
    "/streams/orders/consumer-groups/billing/settings",
    "/streams/orders/consumer-groups/billing/delete",
    "/streams/orders/consumer-groups/warehouse",
    "/streams/orders/consumer-groups/warehouse/over-time?window=7d",
    "/streams/orders/consumer-groups/warehouse/consume",
    "/streams/orders/consumer-groups/warehouse/settings",
    "/dead-letters?stream=orders&group=billing",
    "/dead-letters?text=order&since=2020-01-01T00:00",
    "/dead-letters/{letter}",
    "/dead-letters/{letter}/discard",
    "/dead-letters/redrive?stream=orders",
    "/alerts",
    "/alerts/rules/new",
    "/alerts/rules/{rule}/change",
    "/alerts/rules/{rule}/delete",
    "/alerts/channels/new",
    "/alerts/channels/{channel}/delete",
]
FOR_PRODUCERS = [
    "/send",
    "/send/many",
    "/send?stream=orders&like=0/30",
    "/simulations",
    "/streams/new",
    "/streams/orders/schemas/new?type=order.created",
    "/streams/orders/settings",
    "/streams/orders/history?groups=shown",
    "/streams/orders/moves",
    "/streams/orders/move?to=postgres",
    "/streams/orders/delete",
    "/streams/orders/events/0/30/erase",
    "/keys/new",
    "/keys/{key}/rotate",
    "/keys/{key}/revoke",
]
FOR_ADMINS = ["/", "/users"]

FOR_PHONES = {"/", "/streams", "/streams/orders", "/streams/orders/events", "/send", "/keys", "/dead-letters/{letter}"}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(server, db_with_commits_for_all) -> Iterator[Site]:
    """One story for all: these tests only look at it."""
    # Plain HTTP on this machine, as `make run` serves it.
    with override_settings(SESSION_COOKIE_SECURE=False, CSRF_COOKIE_SECURE=False):
        yield server


@pytest.fixture(scope="module")
def story(site) -> Story:
    told = tell_story()
    append(told.stream, {"type": "order.lost", "key": HOSTILE, "payload": {HOSTILE: HOSTILE}})
    stream = load_stream("orders")
    assert stream is not None
    for offset in (30, 31):
        report_dead_letter(
            stream=stream, group=told.group, reporter=HOSTILE[:64], partition=0, offset=offset, error=HOSTILE
        )
    leased = lease_deliveries(stream=stream, group=told.leasing_group, consumer="w", max_events=2)
    nacks = [Nack(each.id, each.token, HOSTILE, is_terminal=False) for each in leased.deliveries]
    nack_deliveries(group=told.leasing_group, nacks=nacks)
    channel = make_channel(told.owner, name=HOSTILE[:120])
    make_rule(told.owner, "dead_letters", channel, stream="orders")
    look()
    AlertNotification.objects.update(last_error=HOSTILE[:300])
    return told


# Texts with an unseen character that no mark is drawn around, of what is shown.
UNMARKED = r"""() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (texts.nextNode()) {
        const { data, parentElement: place } = texts.currentNode;
        if (/[\u200b-\u200f\u202a-\u202e\u2066-\u2069]/.test(data) && place.checkVisibility() &&
            !place.closest(".unseen, textarea, option, script")) found.push(data);
    }
    return found;
}"""


def address(path: str, story: Story) -> str:
    letter = DeadLetter.objects.order_by("pk").values_list("pk", flat=True)[0]
    rule = AlertRule.objects.get()
    return path.format(letter=letter, key=story.key.key_id, rule=rule.pk, channel=rule.channels.get().pk)


@pytest.mark.parametrize("path", FOR_ALL + FOR_CONSUMERS + FOR_PRODUCERS)
def test_a_page_is_silent_accessible_and_safe(page, sign_in, story, path):
    sign_in(user=story.owner)

    page.emulate_media(color_scheme="dark")
    response = page.goto(address(path, story))
    assert response.status == 200
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert_accessible(page)
    assert page.evaluate(UNMARKED) == []
    page.emulate_media(color_scheme="light")
    assert_legible(page)

    page.set_viewport_size(PHONE)
    page.reload()
    assert_fits(page)
    # Nothing that somebody wrote became an element.
    assert page.locator("img[src=x]").count() == 0
    if path in FOR_PHONES:
        expect(page.get_by_role("button", name="Menu")).to_be_visible()
        assert_accessible(page)


@pytest.mark.parametrize("path", FOR_ADMINS)
def test_an_admins_page_is_silent_accessible_and_safe(page, sign_in, story, path):
    sign_in(Role.ADMIN)
    assert page.goto(path).status == 200
    assert_accessible(page)
    assert page.locator("img[src=x]").count() == 0


def test_the_menu_of_a_phone_opens_and_closes(page, sign_in, story):
    sign_in(user=story.owner)
    page.set_viewport_size(PHONE)
    page.goto("/")
    navigation = page.get_by_role("navigation", name="Pages")
    expect(navigation).to_be_hidden()

    page.get_by_role("button", name="Menu").click()
    expect(navigation).to_be_visible()
    page.keyboard.press("Escape")
    expect(navigation).to_be_hidden()


def test_pages_can_be_read_without_scripts(browser, site, story):
    story.owner.set_password(PASSWORD)
    story.owner.save()
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(story.owner.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.goto("/streams/orders/events")
    expect(page.get_by_role("link", name="30", exact=True)).to_be_visible()
    page.goto("/streams/orders/events/0/30")
    expect(page.locator("#payload-text")).to_contain_text("9223372036854775808")
    page.goto("/consumer-groups")
    expect(page.get_by_role("link", name="billing")).to_be_visible()
    context.close()


def test_an_address_that_does_not_exist_is_a_page_too(page, sign_in, complaints):
    sign_in()
    assert page.goto("/nowhere").status == 404
    expect(page.get_by_role("heading", name="Nothing here")).to_be_visible()
    assert page.goto("/streams/nowhere").status == 404
    expect(page.get_by_role("heading", name="Stream not found")).to_be_visible()
    assert_accessible(page)
    complaints.expect("404")
