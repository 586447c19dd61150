"""Engines on the pages: one is chosen for a new stream, and what it does without is not to be filled in."""

import os
import re
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.roles import Role
from observability.dashboard.queries.system_health import forget_system_health
from streams.log import SIGHTINGS
from streams.log.engines import get_engines
from streams.models import Mirror, Stream
from streams.services.moving.steps import carry_on_moves
from tests.browser.accessibility import assert_accessible, assert_fits, assert_legible
from tests.client import ApiClient
from tests.factories import make_key, make_user

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def owner(distant, site, page, sign_in):
    owner = make_user(Role.ADMIN, Role.PRODUCER, Role.CONSUMER)
    sign_in(user=owner)
    return owner


@pytest.fixture
def clicks(owner):
    """A stream in the other engine, with events."""
    shop = ApiClient(key=make_key(owner))
    assert shop.post("/streams", {"name": "clicks", "engine": "distant"}).status_code == 201
    assert shop.post("/streams/clicks/events", [{"type": "click", "payload": n} for n in range(3)]).status_code == 202
    SIGHTINGS.write()


def look(page, name):
    """Keep a picture of the page, where somebody wants to look at it."""
    if place := os.environ.get("PICTURES"):
        page.screenshot(path=Path(place) / f"{name}.png", full_page=True)


def in_both_themes_and_on_a_phone(page, name):
    page.emulate_media(color_scheme="light")
    assert_accessible(page)
    look(page, f"{name}-light")
    page.emulate_media(color_scheme="dark")
    assert_legible(page)
    look(page, f"{name}-dark")
    page.set_viewport_size(PHONE)
    assert_fits(page)
    look(page, f"{name}-phone")
    page.emulate_media(color_scheme="light")


def test_what_the_chosen_engine_does_without_cannot_be_filled_in(page, owner, distant):
    distant.weather.is_weak = True
    page.goto("/streams/new")
    ids = page.get_by_label("An id is stored once within")
    expect(ids).to_be_enabled()
    page.get_by_role("radio", name=re.compile("distant")).check()
    expect(ids).to_be_disabled()
    expect(page.get_by_text("The stream's engine does not offer this.")).to_be_visible()
    in_both_themes_and_on_a_phone(page, "new")
    page.get_by_role("radio", name=re.compile("PostgreSQL")).check()
    expect(ids).to_be_enabled()
    expect(page.get_by_text("The stream's engine does not offer this.")).to_be_hidden()


def test_a_stream_is_made_in_a_weak_engine_once_that_is_said(page, owner, distant, complaints):
    distant.weather.is_weak = True
    page.goto("/streams/new")
    page.get_by_label("Name").fill("clicks")
    page.get_by_role("radio", name=re.compile("distant")).check()
    page.get_by_role("button", name="Create the stream").click()
    expect(page.get_by_text("The engine distant keeps events in memory.")).to_be_visible()
    complaints.expect("422")
    expect(page.get_by_role("radio", name=re.compile("distant"))).to_be_checked()
    page.get_by_label("Even though it could lose events").check()
    page.get_by_role("button", name="Create the stream").click()
    expect(page.get_by_role("heading", name="clicks", level=1)).to_be_visible()
    assert Stream.objects.get().engine == "distant"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/streams", "distant"),
        ("/streams/clicks", "without storing an id once"),
        ("/streams/clicks/settings", "does not offer more partitions"),
        ("/streams/clicks/events/0/1", "distant does not offer erasing a payload"),
        ("/", "Engine distant"),
    ],
    ids=["list", "stream", "settings", "event", "overview"],
)
def test_pages_say_where_a_stream_lies(page, clicks, path, says, request):
    page.goto(path)
    expect(page.locator("main")).to_contain_text(says)
    in_both_themes_and_on_a_phone(page, request.node.callspec.id)


@pytest.mark.parametrize("path", ["/", "/streams/clicks", "/streams/new"], ids=["overview", "stream", "new"])
def test_pages_say_that_an_engine_is_away(page, clicks, distant, path, request):
    distant.weather.is_away = True
    get_engines()._healths.forget()
    forget_system_health()
    page.goto(path)
    expect(page.locator("main")).to_contain_text("it is away")
    in_both_themes_and_on_a_phone(page, f"away-{request.node.callspec.id}")


def test_a_stream_is_moved_while_somebody_watches_and_the_way_back_is_offered(page, owner):
    shop = ApiClient(key=make_key(owner))
    assert shop.post("/streams", {"name": "orders", "partitions": 3}).status_code == 201
    assert shop.post("/streams/orders/events", [{"payload": n} for n in range(3)]).status_code == 202
    page.goto("/streams/orders/settings")
    page.locator("a[href='/streams/orders/moves']").first.click()
    page.get_by_role("link", name="Move to distant…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Move orders to distant?")
    in_both_themes_and_on_a_phone(page, "move-question")
    dialog.get_by_role("button", name="Move it").click()
    expect(page.get_by_role("progressbar", name="Progress of the move to distant")).to_be_visible()
    in_both_themes_and_on_a_phone(page, "move-under-way")
    page.get_by_role("button", name="Stay in postgres").click()
    expect(page.get_by_text("ended, nothing moved")).to_be_visible()
    page.get_by_role("link", name="Move to distant…").click()
    page.get_by_role("dialog").get_by_role("button", name="Move it").click()
    expect(page.get_by_role("progressbar", name="Progress of the move to distant")).to_be_visible()
    assert carry_on_moves() == 1
    # It is seen without asking.
    expect(page.get_by_role("link", name="Move to postgres…")).to_be_visible()
    expect(page.get_by_text("moved", exact=True)).to_be_visible()
    in_both_themes_and_on_a_phone(page, "moved")
    assert shop.post("/streams/orders/events", {"payload": 3}).status_code == 202
    assert len(shop.get("/streams/orders/events", last_offset="earliest").json()) == 4


def test_a_stream_says_where_it_is_copied_to_and_what_stands_in_the_way(page, owner):
    shop = ApiClient(key=make_key(owner))
    assert shop.post("/streams", {"name": "orders"}).status_code == 201
    assert shop.post("/streams/orders/events", [{"payload": n} for n in range(3)]).status_code == 202
    assert shop.post("/streams/orders/mirrors", {"engine": "distant"}).status_code == 201
    Mirror.objects.update(failing_since=timezone.now(), last_error="the broker said <no> to a topic-" + "x" * 200)
    page.goto("/streams/orders")
    card = page.get_by_role("region", name="Mirrors")
    expect(card).to_contain_text("distant.orders")
    expect(card).to_contain_text("failing")
    expect(card).to_contain_text("3 behind")
    expect(card).to_contain_text("the broker said <no>")
    in_both_themes_and_on_a_phone(page, "mirror")
