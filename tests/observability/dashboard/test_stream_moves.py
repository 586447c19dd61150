"""The page on which a stream is moved: what would change is said first, then how far it has come."""

import pytest
from django.test import Client

from streams.errors import LogUnavailable
from streams.models import Stream, StreamMove
from streams.services.moving.steps import carry_on_moves
from tests.factories import make_owner, make_stream, make_user


@pytest.fixture
def browser(distant):
    owner = make_owner()
    make_stream("orders", owner=owner)
    client = Client()
    client.force_login(owner)
    return client


def page(browser, address="/streams/orders/moves"):
    answer = browser.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_stream_is_moved_there_and_the_way_back_is_offered(browser):
    assert "Move to distant…" in page(browser)
    question = page(browser, "/streams/orders/move?to=distant")
    assert "Move orders to distant?" in question
    assert "If-Head" in question
    assert browser.post("/streams/orders/move", {"to": "distant"}).status_code == 302
    under_way = page(browser)
    assert "postgres → distant" in under_way
    assert "<progress" in under_way
    # While one is under way no other one is offered.
    assert "Move to distant…" not in under_way
    assert carry_on_moves() == 1
    moved = page(browser)
    assert "Move to postgres…" in moved
    assert "<progress" not in moved


def test_a_move_is_ended_before_it_has_come_about(browser):
    browser.post("/streams/orders/move", {"to": "distant"})
    assert "Stay in postgres" in page(browser)
    [asked] = StreamMove.objects.all()
    assert browser.post(f"/streams/orders/moves/{asked.pk}/end").status_code == 302
    ended = page(browser)
    assert "ended, nothing moved" in ended
    assert "Stay in postgres" not in ended
    assert "Move to distant…" in ended
    # Too late, as with a double click: it says so.
    assert browser.post(f"/streams/orders/moves/{asked.pk}/end").status_code == 409


def test_what_stands_in_the_way_is_said_and_then_there_is_no_button(browser):
    Stream.objects.update(deduplicate_ids_seconds=60)
    question = page(browser, "/streams/orders/move?to=distant")
    assert "does not offer <code>deduplicate_ids</code>" in question
    assert "Move it" not in question
    assert browser.post("/streams/orders/move", {"to": "distant"}).status_code == 409
    assert not StreamMove.objects.exists()


def test_a_problem_is_shown_as_text(browser):
    browser.post("/streams/orders/move", {"to": "distant"})
    StreamMove.objects.update(problem=LogUnavailable("distant", "<script>alert(1)</script>").detail)
    shown = page(browser)
    assert "<script>alert(1)" not in shown
    assert "&lt;script&gt;" in shown
    assert "waiting to try again" in shown


def test_only_who_manages_the_stream_sees_it(browser):
    stranger = Client()
    stranger.force_login(make_user())
    for address in ("/streams/orders/moves", "/streams/orders/move?to=distant"):
        assert stranger.get(address).status_code in (403, 404)
    assert stranger.post("/streams/orders/move", {"to": "distant"}).status_code in (403, 404)
    assert stranger.post("/streams/orders/moves/1/end").status_code in (403, 404)
    assert not StreamMove.objects.exists()


def test_the_settings_lead_there_where_there_are_several_engines(browser, settings):
    assert "/streams/orders/moves" in page(browser, "/streams/orders/settings")
