"""A settings form in an old tab: what somebody else has changed since stays, what was typed stays, and both are shown."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from consumers.models import ConsumerGroup
from consumers.services.groups import change_group
from streams.models import Stream
from tests.client import ApiClient
from tests.factories import make_group, make_owner, make_stream, make_token

pytestmark = pytest.mark.usefixtures("db_with_commits")

STREAM, GROUP, OFFSETS = (
    "/streams/orders/settings",
    "/streams/orders/consumer-groups/billing/settings",
    "/streams/orders/consumer-groups/reading/settings",
)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def owner() -> User:
    owner = make_owner()
    stream = make_stream("orders", owner=owner, description="as it was", retention_max_age_seconds=86_400)
    make_group(stream, "billing", mode="lease")
    make_group(stream, "reading")
    return owner


@pytest.fixture
def client(owner: User) -> Client:
    client = Client()
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def api(owner: User) -> ApiClient:
    return ApiClient(token=make_token(owner))


class FieldReader(HTMLParser):
    """Collects what the fields of a form hold."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        kind, name = given.get("type"), given.get("name")
        if tag == "select":
            self._select = str(name)
        elif tag == "option" and "selected" in given:
            self.fields[self._select] = given.get("value") or ""
        elif tag == "input" and name and (kind not in ("radio", "checkbox") or "checked" in given):
            self.fields[name] = given.get("value") or ("on" if kind == "checkbox" else "")

    def handle_data(self, data: str) -> None:
        # An option without a value means its text.
        if self._select and self.fields.get(self._select) == "":
            self.fields[self._select] = data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""


def fields_of(page: str) -> dict[str, str]:
    """What a browser would send of the settings form on a page."""
    found = re.search(r'<form[^>]*id="(?:stream|group)-form".*?</form>', page, re.DOTALL)
    assert found is not None
    reader = FieldReader()
    reader.feed(found[0])
    return reader.fields


def opened(client: Client, path: str) -> dict[str, str]:
    return fields_of(client.get(path).content.decode())


def stream() -> Stream:
    return Stream.objects.get()


def test_an_old_tab_undoes_nothing_and_shows_both(client, api, owner):
    tab = opened(client, STREAM)
    api.patch("/streams/orders", {"description": "theirs", "retention": {"max_age": 172_800}})

    for headers in ({}, HTMX):
        answer = client.post(STREAM, {**tab, "description": "<mine>"}, headers=headers)
        page = " ".join(answer.content.decode().split())
        assert answer.status_code == 422
        assert f"{owner.email} changed description, age, <time " in page
        for text in ("as it was", "theirs", "&lt;mine&gt;", "1 days", "2 days", "Save mine", "Take theirs"):
            assert text in page
        assert stream().description == "theirs"

    again = fields_of(answer.content.decode())
    assert (again["description"], again["max_age"]) == ("<mine>", "2")
    assert client.post(STREAM, again).status_code == 302
    assert (stream().description, stream().retention_max_age_seconds) == ("<mine>", 172_800)


def test_saving_mine_is_asked_about_again_if_it_is_changed_once_more(client, api):
    tab = opened(client, STREAM)
    api.patch("/streams/orders", {"description": "theirs"})
    again = fields_of(client.post(STREAM, {**tab, "description": "mine"}).content.decode())
    api.patch("/streams/orders", {"description": "theirs anew"})
    page = client.post(STREAM, again)
    assert page.status_code == 422
    assert stream().description == "theirs anew"
    assert client.post(STREAM, fields_of(page.content.decode())).status_code == 302
    assert stream().description == "mine"


def test_what_the_form_does_not_hold_is_said_to_be_changed_too(client, api):
    tab = opened(client, STREAM)
    api.patch("/streams/orders", {"labels": {"team": "payments"}})
    page = client.post(STREAM, {**tab, "description": "mine"})
    assert page.status_code == 422
    assert "None of it is in this form" in page.content.decode()
    assert client.post(STREAM, fields_of(page.content.decode())).status_code == 302
    assert (stream().description, stream().labels) == ("mine", {"team": "payments"})


def test_a_checkbox_that_somebody_else_has_ticked_stays_ticked(client, api):
    tab = opened(client, STREAM)
    api.patch("/streams/orders", {"paused": True})
    again = fields_of(client.post(STREAM, {**tab, "description": "mine"}).content.decode())
    assert again["paused"] == "on"


def test_a_change_that_comes_while_it_is_saved_is_not_undone(client, owner, monkeypatch):
    from observability.dashboard.pages import streams

    tab, change = opened(client, STREAM), streams.change_stream

    def somebody_first(**given: Any) -> Any:
        Stream.objects.update(description="theirs")
        return change(**given)

    monkeypatch.setattr(streams, "change_stream", somebody_first)
    assert client.post(STREAM, {**tab, "description": "mine"}).status_code == 422
    assert stream().description == "theirs"


def test_what_was_not_touched_stays_exactly_as_it_is(client):
    Stream.objects.update(description="  with spaces  ")
    assert client.post(STREAM, {**opened(client, STREAM), "max_events": "9"}).status_code == 302
    assert (stream().description, stream().retention_max_events) == ("  with spaces  ", 9)


@pytest.mark.parametrize("path", [GROUP, OFFSETS])
def test_so_it_is_for_a_group(client, path):
    tab = opened(client, path)
    group = ConsumerGroup.objects.get(name=path.split("/")[4])
    change_group(group=group, changes={"max_failures": 3, "is_paused": True})
    typed = {**tab, **({"ack_wait": "77"} if path == GROUP else {})}
    page = client.post(path, typed)
    assert page.status_code == 422
    again = fields_of(page.content.decode())
    assert again["paused"] == "on"
    assert client.post(path, again).status_code == 302
    group.refresh_from_db()
    assert (group.max_failures, group.is_paused) == (3, True)
    assert group.ack_wait_seconds == (77 if path == GROUP else 30)


@pytest.mark.parametrize("shown", ["", "{", "[]", '"x"', "null", '{"description": 7}', '{"no": "such"}'])
def test_what_a_form_says_that_it_showed_is_not_trusted(client, api, shown):
    tab = opened(client, STREAM)
    api.patch("/streams/orders", {"description": "theirs"})
    page = client.post(STREAM, {**tab, "description": "mine", "shown": shown})
    assert page.status_code == 422
    assert stream().description == "theirs"
    again = fields_of(page.content.decode())
    assert again["description"] == "mine"
    assert client.post(STREAM, again).status_code == 302


def test_the_question_about_retention_keeps_the_version(client, api):
    for number in range(5):
        assert api.post("/streams/orders/events", {"payload": number}).status_code == 202
    tab = opened(client, STREAM)
    question = fields_of(client.post(STREAM, {**tab, "max_events": "2"}).content.decode())
    assert question["version"] == tab["version"]
    api.patch("/streams/orders", {"description": "theirs"})
    assert client.post(STREAM, {**question, "confirm": "orders"}).status_code == 422
    assert (stream().description, stream().retention_max_events) == ("theirs", None)
