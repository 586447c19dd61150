"""The settings page of a stream: saving a retention that deletes events asks first, and keeps what was typed."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from streams.models import Stream
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

PAGE = "/streams/orders/settings"
HTMX = {"HX-Request": "true"}
TYPED = {"description": "what was <typed>", "visibility": "restricted", "max_events": "2", "age_unit": "days"}
ANSWER = {"asked_about": "- - 2", "confirm": "orders"}


@pytest.fixture
def owner() -> User:
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    api = ApiClient(key=make_key(owner))
    for number in range(5):
        assert api.post("/streams/orders/events", {"payload": number}).status_code == 202
    for group, offset in (("billing", 1), ("done", 5)):
        make_group(stream, group)
        assert api.post(f"/streams/orders/consumer-groups/{group}/offsets", {"offset": offset}).status_code == 200
    return owner


@pytest.fixture
def client(owner: User) -> Client:
    client = Client()
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    return client


def saved() -> tuple[int | None, str]:
    stream = Stream.objects.get()
    return stream.retention_max_events, stream.description


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "script"])
def test_it_says_what_goes_asks_for_the_name_and_then_saves(client, headers):
    asked = client.post(PAGE, TYPED, headers=headers)
    page = asked.content.decode()
    assert asked.status_code == 422
    assert page.lstrip().startswith("<form" if headers else "<!DOCTYPE html>")
    assert '<p class="dialog-number bad">3</p>' in " ".join(page.split()).replace("> ", ">").replace(" <", "<")
    assert "events go at once" in page
    assert '<bdi class="mono">billing</bdi> (2 events)' in page
    assert ">done<" not in page
    assert 'name="confirm"' in page
    assert 'name="asked_about" value="- - 2"' in " ".join(page.split())
    assert 'value="what was &lt;typed&gt;"' in page
    assert 'value="2"' in page
    assert saved() == (None, "")

    done = client.post(PAGE, TYPED | ANSWER, headers=headers)
    assert done.status_code == (200 if headers else 302)
    assert saved() == (2, TYPED["description"])


@pytest.mark.parametrize("answer", ["", "order", "Orders"])
def test_another_name_saves_nothing_and_is_told(client, answer):
    refused = client.post(PAGE, TYPED | ANSWER | {"confirm": answer})
    assert refused.status_code == 422
    assert "Type orders to confirm, or keep more." in refused.content.decode()
    assert saved() == (None, "")


def test_a_name_that_was_typed_for_other_limits_is_asked_for_again(client):
    refused = client.post(PAGE, TYPED | ANSWER | {"max_events": "1"})
    page = refused.content.decode()
    assert refused.status_code == 422
    assert 'value="- - 1"' in page
    assert "Type orders to confirm" not in page
    assert 'value="orders"' not in page
    assert saved() == (None, "")


@pytest.mark.parametrize("answer", [{}, ANSWER])
def test_who_keeps_more_after_all_is_not_asked(client, answer):
    assert client.post(PAGE, TYPED | answer | {"max_events": "5"}).status_code == 302
    assert saved() == (5, TYPED["description"])


def test_a_fault_in_the_form_is_told_before_anything_is_asked(client):
    refused = client.post(PAGE, TYPED | {"description": "x" * 1001})
    page = refused.content.decode()
    assert refused.status_code == 422
    assert 'name="confirm"' not in page


def test_who_may_not_change_the_stream_is_not_told_what_it_holds(owner):
    reader = Client()
    reader.force_login(make_user(Role.CONSUMER, Role.PRODUCER), "django.contrib.auth.backends.ModelBackend")
    refused: Any = reader.post(PAGE, TYPED)
    assert refused.status_code == 403
    assert "billing" not in refused.content.decode()
