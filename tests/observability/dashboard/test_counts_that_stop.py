"""What is counted up to a bound only is never told as if it were all."""

import re

import pytest
from django.test import Client

from consumers.models import DeadLetter
from observability.dashboard.pages import overview as pages
from observability.dashboard.queries import alert_pages, overview_page
from tests.factories import make_dead_letter, make_group, make_owner, make_stream
from tests.observability.alerts.rules import look, make_rule

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def owner():
    return make_owner()


def words(owner, address: str) -> str:
    client = Client()
    client.force_login(owner)
    page = client.get(address).content.decode().rpartition("<main")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.mark.parametrize(
    ("count", "told", "tile", "pulse"),
    [(3, "3 dead letters wait", "3", "3"), (4, "3 dead letters or more wait", "3+", "3+")],
)
def test_dead_letters_beyond_the_bound_are_some_or_more(owner, monkeypatch, count, told, tile, pulse):
    for module in (pages, overview_page):
        monkeypatch.setattr(module, "MAX_COUNTED", 3)
    group = make_group(make_stream(owner=owner), mode="lease")
    for offset in range(1, count + 1):
        make_dead_letter(group, offset)

    page = words(owner, "/")
    assert told in page
    assert f"Dead letters open {tile} somebody should look" in page
    assert f"{pulse} open" in words(owner, "/pulse")


@pytest.mark.parametrize(
    ("count", "told"), [(2, "2 alerts of your rules fire"), (3, "2 alerts or more of your rules fire")]
)
def test_alerts_beyond_the_bound_are_some_or_more(owner, monkeypatch, count, told):
    monkeypatch.setattr(overview_page, "MAX_FIRING", 2)
    monkeypatch.setattr(alert_pages, "SHOWN_ALERTS", 2)
    stream = make_stream(owner=owner)
    for _ in range(count):
        make_dead_letter(make_group(stream, mode="lease"))
    make_rule(owner, "dead_letters")
    look()

    assert told in words(owner, "/")
    assert ("the newest 2; there are more" in words(owner, "/alerts")) == (count > 2)
    DeadLetter.objects.all().delete()
    look()
    assert ("of the last 30 days, the newest 2" in words(owner, "/alerts")) == (count > 2)
