"""The first steps of a stream: for whom they show which lines, and what they say to who may not append."""

import re

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Right, Role
from streams.lookup import forget_streams
from streams.services.grants import grant_stream
from tests.browser.story import append
from tests.factories import make_group, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

WAITING = {"HX-Request": "true", "HX-Target": "first-event"}


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def shown(browser: Client, path: str = "/streams/orders", **headers: str) -> str:
    return browser.get(path, headers=headers).content.decode()


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_they_go_with_the_first_event_and_the_waiting_region_shows_it():
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    stream = make_stream("orders", owner=owner)
    browser = browser_of(owner)
    assert 'id="first-steps"' in shown(browser)
    first = browser.get("/streams/orders", headers=WAITING)
    again = browser.get("/streams/orders", headers={**WAITING, "EventFlow-Version": first["EventFlow-Version"]})
    assert "Waiting for the first event" in first.content.decode()
    # Whoever listens hears nothing as long as there is nothing.
    assert again.status_code == 204

    append(stream, {"type": "order.created", "payload": 1}, {"type": "order.paid", "payload": 2})

    arrived = shown(browser, **WAITING)
    assert "order.created" in arrived
    assert "/streams/orders/events/0/1" in arrived
    assert "data-live" not in arrived
    assert 'id="first-steps"' not in shown(browser)


def test_who_may_not_read_hears_that_it_is_there_and_nothing_of_it():
    owner, producer = make_user(Role.PRODUCER, Role.CONSUMER), make_user(Role.PRODUCER)
    stream = make_stream("orders", owner=owner, visibility="restricted")
    grant_stream(stream=stream, to=producer, rights={Right.PRODUCE}, caller=owner.as_caller())
    forget_streams()
    browser = browser_of(producer)
    page = shown(browser)
    assert 'id="first-append"' in page
    assert 'id="first-read"' not in page
    assert "the right to consume this stream, which its owner" in words(page)

    append(stream, {"type": "order.secret", "payload": "secret"})

    arrived = shown(browser, **WAITING)
    assert "The first event is here" in words(arrived)
    assert "order.secret" not in arrived


@pytest.mark.parametrize(
    ("roles", "told"),
    [
        ((Role.CONSUMER,), "the role producer, which an admin of this EventFlow gives you, and the right to produce"),
        ((Role.CONSUMER, Role.PRODUCER), "For that you need the right to produce to this stream, which its owner"),
    ],
)
def test_who_may_not_append_is_told_what_is_missing_and_who_grants_it(roles, told):
    make_stream("orders", owner=make_user(Role.PRODUCER, Role.CONSUMER, email="ada@example.com"))

    page = shown(browser_of(make_user(*roles)))

    assert told in words(page)
    assert "ada@example.com or an admin can grant you" in words(page)
    assert 'id="first-append"' not in page
    assert 'id="first-read"' in page
    # The key that is offered is of use to them: to read.
    assert "?stream=orders&amp;scope=consume&quot;" in page.replace('"', "&quot;")


def test_a_group_that_polls_may_read_as_is_named_and_no_other():
    owner, reader = make_user(Role.PRODUCER, Role.CONSUMER), make_user(Role.CONSUMER)
    stream = make_stream("orders", owner=owner)
    make_group(stream, "a-of-the-owner")
    make_group(stream, "b-of-leases", owner=reader, mode="lease")
    browser = browser_of(reader)
    assert "consumer_group_id=readers&" in shown(browser).replace("&amp;", "&")
    make_group(stream, "c-of-the-reader", owner=reader)

    page = shown(browser)

    assert "consumer_group_id=c-of-the-reader&" in page.replace("&amp;", "&")
    assert 'id="first-group"' not in page


def test_a_paused_stream_says_that_appends_are_refused():
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    stream = make_stream("orders", owner=owner)
    stream.is_paused = True
    stream.save()
    forget_streams()
    assert "appends are refused" in words(shown(browser_of(owner)))


def test_the_form_of_the_key_suggests_the_stream_and_the_scopes_of_the_link():
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    make_stream("orders", owner=owner)
    make_stream("others", owner=owner)

    page = shown(browser_of(owner), "/keys/new?stream=orders&scope=produce&scope=admin")

    assert re.search(r'value="orders"\s+selected', page)
    assert not re.search(r'value="others"\s+selected', page)
    assert re.findall(r'value="(\w+)"\s+checked', page) == ["produce"]


def test_the_form_of_the_key_says_nothing_of_a_stream_that_is_hidden():
    make_stream("salaries", visibility="restricted")
    browser = browser_of(make_user(Role.CONSUMER))
    hidden, missing = (browser.get(f"/keys/new?stream={name}") for name in ("salaries", "nowhere"))
    assert hidden.status_code == missing.status_code == 404


def test_a_key_that_was_suggested_for_one_of_very_many_streams_is_for_that_one_alone(monkeypatch):
    monkeypatch.setattr("observability.dashboard.pages.keys.list_names_of_streams", lambda caller: ["others"])
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    make_stream("orders", owner=owner)
    assert re.search(r'value="orders"\s+selected', shown(browser_of(owner), "/keys/new?stream=orders"))
