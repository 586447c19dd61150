"""Events for later and events that expire: sent from the form, shown on their page and in a spreadsheet."""

import csv
import io
import re

import pytest
from django.test import Client

from streams.conf import MAX_DELAY_SECONDS
from streams.log import get_log
from streams.lookup import find_stream
from streams.stored_event import decode_event
from tests.browser.story import append
from tests.factories import make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")
HTMX = {"HX-Request": "true"}
FORM = {"stream": "orders", "type": "event", "payload": "1"}


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def stream(owner):
    return make_stream("orders", owner=owner)


@pytest.fixture
def browser(owner, stream):
    browser = Client()
    browser.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def text_of(answer):
    return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split())


def stored(stream):
    found = get_log().read(find_stream(stream.name).partitions[0], after=0, max_events=10, max_bytes=10_000)
    return [decode_event(event) for event in found.events]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"deliver_after": "30"}, (30, None)),
        ({"deliver_after": " 0.5 ", "expires_after": "60"}, (0.5, 60)),
        ({"expires_after": "3600"}, (None, 3600)),
        ({"deliver_after": "", "expires_after": " "}, (None, None)),
    ],
)
def test_the_form_sends_what_was_typed(browser, stream, typed, kept):
    assert browser.post("/send", FORM | typed, headers=HTMX).status_code == 200
    (event,) = stored(stream)
    assert (event.deliver_after, event.expires_after) == kept


def test_the_form_sends_a_time(browser, stream):
    browser.post("/send", FORM | {"deliver_after": "2026-01-01T12:00:00+02:00"}, headers=HTMX)
    assert stored(stream)[0].due_at.isoformat() == "2026-01-01T10:00:00+00:00"


@pytest.mark.parametrize("text", ["tomorrow", "-1", "0", "2026-01-01T12:00:00", "1e400", str(MAX_DELAY_SECONDS + 1)])
def test_what_cannot_be_is_said_at_its_field(browser, stream, text):
    answer = browser.post("/send", FORM | {"deliver_after": text}, headers=HTMX)
    assert answer.status_code == 422
    assert '<span class="field-error" id="h-deliver_after">' in " ".join(answer.content.decode().split())
    assert stored(stream) == []


def test_an_events_page_says_when(browser, stream):
    append(stream, {"payload": 1, "deliver_after": "2026-01-01T10:00:00Z", "expires_after": 60}, {"payload": 2})
    assert "For later" in text_of(browser.get("/streams/orders/events/0/1"))
    assert 'datetime="2026-01-01T10:00:00' in browser.get("/streams/orders/events/0/1").content.decode()
    assert "For later" not in text_of(browser.get("/streams/orders/events/0/2"))


@pytest.mark.parametrize("page", ["/streams/orders/events", "/streams/orders/tail"])
def test_lists_of_events_say_when_too(browser, stream, page):
    append(stream, {"payload": 1, "deliver_after": "2026-01-01T10:00:00Z", "expires_after": 60}, {"payload": 2})
    # Without the pattern that a script draws rows from.
    shown = re.sub(r"<template.*?</template>", "", browser.get(page).content.decode(), flags=re.DOTALL)
    assert shown.count('datetime="2026-01-01T10:00:00') == 1
    assert (shown.count(">for <time"), shown.count(">until <time")) == (1, 1)


def test_a_spreadsheet_has_both_times(browser, stream):
    append(stream, {"payload": 1, "deliver_after": "2026-01-01T10:00:00Z", "expires_after": 60}, {"payload": 2})
    answer = browser.get("/streams/orders/events/file", {"as": "csv", "from": "oldest"})
    timed, plain = csv.DictReader(io.StringIO(answer.getvalue().decode(), newline=""))
    assert timed["due_at"].startswith("2026-01-01")
    assert timed["expires_at"]
    assert (plain["due_at"], plain["expires_at"]) == ("", "")
