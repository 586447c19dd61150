"""On the dashboard: a stream that stores ids once, how it is asked to, and what is told of an event that was there."""

import re

import pytest
from django.test import Client

from accounts.models import AuditEntry, User
from streams.models import Stream
from tests.factories import make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")

SETTINGS = "/streams/orders/settings"
FORM = {"description": "", "visibility": "internal", "age_unit": "days", "size_unit": "GiB"}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def owner() -> User:
    return make_owner()


@pytest.fixture
def stream(owner: User) -> Stream:
    return make_stream("orders", owner=owner, retention_max_age_seconds=None)


@pytest.fixture
def browser(owner: User, stream: Stream) -> Client:
    browser = Client()
    browser.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    return browser


def window_of(stream: Stream) -> int | None:
    stream.refresh_from_db()
    return stream.deduplicate_ids_seconds


def text_of(answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_it_is_a_setting_with_a_unit_and_can_be_taken_back(browser, stream):
    assert browser.post(SETTINGS, FORM | {"deduplicate_ids": "2", "deduplicate_unit": "hours"}).status_code == 302
    assert window_of(stream) == 7200
    page = browser.get(SETTINGS).content.decode()
    assert re.search(r'name="deduplicate_ids"[^>]*value="2"', page)
    assert re.search(r'name="deduplicate_unit"[^>]*>.*?<option selected>hours</option>', page, re.DOTALL)
    # A page that was opened before this was asked says nothing of it.
    assert browser.post(SETTINGS, FORM | {"description": "later"}).status_code == 302
    assert window_of(stream) == 7200
    assert browser.post(SETTINGS, FORM | {"deduplicate_ids": "", "deduplicate_unit": "hours"}).status_code == 302
    assert window_of(stream) is None
    assert AuditEntry.objects.filter(action="stream.changed", after__has_key="deduplicate_ids_seconds").count() == 2


@pytest.mark.parametrize(("number", "unit"), [("8", "days"), ("0", "hours"), ("-1", "seconds"), ("soon", "hours")])
def test_a_window_that_cannot_be_is_refused_at_its_field(browser, stream, number, unit):
    refusal = browser.post(SETTINGS, FORM | {"deduplicate_ids": number, "deduplicate_unit": unit})
    assert refusal.status_code == 422
    assert '<span class="field-error" id="h-deduplicate_ids">' in " ".join(refusal.content.decode().split())
    assert window_of(stream) is None


def test_a_new_stream_is_asked_as_well(browser):
    new = {"name": "payments", "partitions": "1", **FORM, "deduplicate_ids": "7", "deduplicate_unit": "days"}
    assert browser.post("/streams/new", new).status_code == 302
    assert Stream.objects.get(name="payments").deduplicate_ids_seconds == 604_800


def test_the_streams_page_says_what_is_remembered(browser, stream):
    assert "Ids stored once" not in text_of(browser.get("/streams/orders"))
    Stream.objects.update(deduplicate_ids_seconds=86_400)
    assert "Ids stored once within 1 d none is remembered" in text_of(browser.get("/streams/orders"))
    events = "\n".join(f'{{"id": "{number}", "payload": 1}}' for number in range(3))
    browser.post("/send/many", {"stream": "orders", "events": events})
    assert "Ids stored once within 1 d 3 remembered, since" in text_of(browser.get("/streams/orders"))


def test_an_event_that_was_there_is_told_to_be_so_with_its_place(browser, stream):
    Stream.objects.update(deduplicate_ids_seconds=86_400)
    form = {"stream": "orders", "type": "event", "payload": "1", "id": "order-1"}
    first = browser.post("/send", form, headers=HTMX)
    again = browser.post("/send", form | {"payload": "2"}, headers=HTMX)
    assert "there already" not in text_of(first)
    assert "there already" in text_of(again)
    assert "There already, by its id" in again.headers["HX-Trigger"]
    assert "offset 1" in again.headers["HX-Trigger"]


def test_of_several_events_it_is_told_how_many_were_there(browser, stream):
    Stream.objects.update(deduplicate_ids_seconds=86_400)
    form = {"stream": "orders", "events": '{"id": "a", "payload": 1}\n{"id": "b", "payload": 1}'}
    browser.post("/send/many", form, headers=HTMX)
    more = form | {"events": form["events"] + '\n{"id": "c", "payload": 1}'}
    mixed = browser.post("/send/many", more, headers=HTMX)
    assert "orders: 1 event; 2 events there already, by their ids" in mixed.headers["HX-Trigger"]
    nothing = browser.post("/send/many", form, headers=HTMX)
    assert "orders: 0 events; 2 events there already, by their ids" in nothing.headers["HX-Trigger"]
