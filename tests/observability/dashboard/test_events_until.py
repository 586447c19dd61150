"""A page of events that is come back to has all that *More* had brought, within bounds."""

import re

import pytest
from django.test import Client

from observability.dashboard.pages import events
from streams.models import Stream
from tests.browser.story import append
from tests.factories import make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")

PAGE = "/streams/orders/events"
MORE = {"HX-Request": "true", "HX-Target": "more"}


@pytest.fixture
def stream() -> Stream:
    stream = make_stream("orders", owner=make_owner(), partitions=2)
    append(stream, *({"key": str(n), "payload": n} for n in range(200)))
    return stream


@pytest.fixture
def client(stream: Stream) -> Client:
    client = Client()
    assert stream.owner is not None
    client.force_login(stream.owner, "django.contrib.auth.backends.ModelBackend")
    return client


def rows_in(page: str) -> list[str]:
    return re.findall(r'<tr id="(e-\d+-\d+)"', page) or re.findall(r'id="(e-\d+-\d+)"', page)


def more_url(page: str) -> str:
    found = re.search(r'hx-get="([^"]*at=[^"]*)"', page)
    assert found is not None
    return found[1].replace("&amp;", "&")


@pytest.mark.parametrize("start", ["newest", "oldest"])
def test_the_address_says_how_far_it_had_come(client, start):
    first = client.get(f"{PAGE}?from={start}&type=event").content.decode()
    current = {"HX-Current-URL": f"http://testserver{PAGE}?from={start}&type=event"}
    second = client.get(more_url(first), headers=MORE | current)
    seen = rows_in(first) + rows_in(second.content.decode())
    assert len(seen) == 100
    again = second["HX-Replace-Url"]
    assert again.startswith(f"{PAGE}?from={start}&type=event&until=")
    page = client.get(again).content.decode()
    assert rows_in(page) == seen
    assert "until" not in more_url(page)
    third = rows_in(client.get(more_url(page), headers=MORE | current).content.decode())
    assert len({*seen, *third}) == 150


def test_it_is_bounded(client, monkeypatch):
    monkeypatch.setattr(events, "MAX_SHOWN_AGAIN", 120)
    assert len(rows_in(client.get(f"{PAGE}?until=0=1,1=1").content.decode())) == 150


@pytest.mark.parametrize("until", ["x", "0=", "9=1", "0=99999999999999999999", ""])
def test_an_address_that_makes_no_sense_is_a_first_page(client, until):
    page = client.get(f"{PAGE}?until={until}")
    assert page.status_code == 200
    assert len(rows_in(page.content.decode())) == 50
