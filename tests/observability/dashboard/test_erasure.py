"""The page of an event: whoever manages the stream erases its payload there, with a reason; pages then say so."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEntry, User
from accounts.roles import Role
from streams.browsing import browse_events
from streams.lookup import load_stream
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")
SECRET = "ada@lovelace.example"
EVENT = "/streams/orders/events/0/2"
FORM = {"reason": "asked for", "confirm": "2"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def owner() -> User:
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    make_group(stream, "billing")
    make_group(stream, "shipping", mode="lease")
    api = ApiClient(key=make_key(owner))
    for payload in ("nothing", SECRET):
        assert api.post("/streams/orders/events", {"payload": payload}).status_code == 202
    parked = api.post("/streams/orders/consumer-groups/billing/dead-letters", {"offset": 2})
    assert parked.status_code == 201
    return owner


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def text(client: Client, path: str, **headers: Any) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200, path
    return response.content.decode()


def letter_page(client: Client) -> str:
    letters = text(client, "/dead-letters")
    start = letters.index("/dead-letters/", letters.index("<tbody"))
    return letters[start : letters.index('"', start)]


def test_it_is_asked_for_with_a_reason_and_then_gone_from_every_page(owner):
    client = browser(owner)
    assert f'href="{EVENT}/erase"' in text(client, EVENT)
    letter = letter_page(client)
    assert SECRET in text(client, letter)
    question = text(client, f"{EVENT}/erase")
    assert 'name="reason"' in question
    assert 'name="confirm"' in question
    assert f'action="{EVENT}/erase"' in question

    done = client.post(f"{EVENT}/erase", FORM)

    assert (done.status_code, done["Location"]) == (302, EVENT)
    page = text(client, EVENT)
    assert "The payload of orders 0/2 is erased" in page
    assert "Payload and headers were erased" in page
    assert f"{EVENT}/erase" not in page
    assert "like=0/2" not in page
    shown = {
        path: text(client, path)
        for path in (
            "/",
            letter,
            "/streams/orders/events",
            "/streams/orders/tail",
            "/streams/orders/consumer-groups/billing/consume",
        )
    }
    for path, found in {EVENT: page, **shown}.items():
        assert SECRET not in found, path
        assert "erased" in found, path
    assert "nothing" in shown["/streams/orders/events"]
    assert AuditEntry.objects.get(action="event.erased").after["reason"] == "asked for"


def test_the_administration_lists_it_as_erased(owner):
    browser(owner).post(f"{EVENT}/erase", FORM)
    info = load_stream("orders")
    assert info is not None
    shown = [event.preview for event in browse_events(info.partition(0), offset=1, since=None, limit=5).events]
    assert shown == ['"nothing"', "erased"]


def test_a_script_is_told_in_a_toast_and_shown_the_question_alone(owner):
    client = browser(owner)
    assert "<html" not in text(client, f"{EVENT}/erase", **HTMX)
    done = client.post(f"{EVENT}/erase", FORM, headers=HTMX)
    assert done["HX-Redirect"] == EVENT
    assert "The payload of orders 0/2 is erased" in text(client, EVENT)


def test_what_was_leased_by_hand_shows_it_too(owner):
    client = browser(owner)
    client.post(f"{EVENT}/erase", FORM)
    leased = client.post("/streams/orders/consumer-groups/shipping/consume/lease", {"max_events": "5"})
    found = leased.content.decode()
    assert "Payload and headers were erased" in found
    assert "nothing" in found


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"reason": "", "confirm": "2"}, "blank"),
        ({"reason": "a\x00b", "confirm": "2"}, "ull characters"),
        ({"reason": "x" * 501, "confirm": "2"}, "500"),
        ({"reason": "asked for"}, "Type the offset, 2"),
        ({"reason": "asked for", "confirm": "1"}, "Type the offset, 2"),
    ],
)
def test_without_a_reason_or_the_right_offset_nothing_happens(owner, form, said):
    client = browser(owner)
    refused = client.post(f"{EVENT}/erase", form)
    assert refused.status_code == 422
    assert said in refused.content.decode()
    again = client.post(f"{EVENT}/erase", form, headers=HTMX)
    assert again.status_code == 422
    assert again.content.decode().startswith("<form")
    assert said in again.content.decode()
    assert SECRET in text(client, EVENT)


def test_who_does_not_manage_the_stream_is_not_offered_it(owner):
    reader = browser(make_user(Role.CONSUMER, Role.PRODUCER))
    assert f"{EVENT}/erase" not in text(reader, EVENT)
    for method in (reader.get, reader.post):
        assert method(f"{EVENT}/erase", FORM).status_code == 403
    assert SECRET in text(reader, EVENT)


def test_there_is_no_question_about_what_is_not_there(owner):
    client = browser(owner)
    for path in ("/streams/orders/events/1/1/erase", "/streams/nowhere/events/0/1/erase"):
        assert client.get(path).status_code == 404
    assert client.post("/streams/orders/events/0/9/erase", {"reason": "x", "confirm": "9"}).status_code == 404
