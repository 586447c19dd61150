"""A group's page over time: three charts, each with its table, over a range that one chooses."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from accounts.roles import Role
from observability.numbers.rollups import record_groups
from tests.consumers.leases import ack, lease_one, produce
from tests.factories import make_group, make_stream, make_user
from tests.observability.group_history import Clock, make_sample
from tests.observability.shown import rows_shown

pytestmark = pytest.mark.usefixtures("db_with_commits")

NOW = datetime(2026, 11, 26, 14, 37, 30, tzinfo=UTC)
AT = NOW.replace(second=0)
MINUTE = timedelta(minutes=1)
PAGE = "/streams/orders/consumer-groups/billing/over-time"


@pytest.fixture
def clock(monkeypatch):
    return Clock(NOW, monkeypatch)


@pytest.fixture
def owner():
    return make_user(Role.PRODUCER, Role.CONSUMER)


@pytest.fixture
def group(owner, clock):
    return make_group(make_stream("orders", owner=owner), "billing", mode="lease")


@pytest.fixture
def browser(owner):
    client = Client()
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    return client


def show(browser, query="", *, status=200):
    response = browser.get(PAGE + query)
    assert response.status_code == status, response.content
    return response.content


def chart(html, name):
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', html.decode())
    assert found, name
    return json.loads(found[1])


def field(html, name):
    found = re.search(rf'<input[^>]*name="{name}"[^>]*>', html.decode())
    assert found, name
    return found[0]


def shown_at(html, heading, moment):
    """The row of the table with this column, at this moment."""
    [table] = [each for each in re.findall(r"<table.*?</table>", html.decode(), re.DOTALL) if f">{heading}<" in each]
    rows = rows_shown(f"<div>{table}</div>".encode(), "From").values()
    [row] = [row for row in rows if row["From"].startswith(f"{moment:%Y-%m-%d %H:%M:%S}")]
    return row


def test_each_chart_says_the_same_as_its_table(browser, clock, group):
    produce(group, 10)
    record_groups(now=clock.now)
    ack(group, lease_one(group), failed=[3, 4])
    clock.move(MINUTE)

    html = show(browser)

    at = AT.timestamp()
    lag, throughput, failures = (chart(html, name) for name in ("lag", "throughput", "failures"))
    assert dict(zip(lag["x"], lag["series"][0]["values"], strict=True))[at] == 10
    assert dict(zip(throughput["x"], throughput["series"][0]["values"], strict=True))[at] == pytest.approx(
        8 / 90, abs=1e-6
    )
    assert [series["label"] for series in failures["series"]] == ["failed", "dead-lettered"]
    assert dict(zip(failures["x"], failures["series"][0]["values"], strict=True))[at] == 2
    assert shown_at(html, "Events behind", AT)["Events behind"] == "10"
    assert shown_at(html, "Events acked", AT)["Events acked"] == "8"
    assert shown_at(html, "Events acked", AT)["Per second"] == "0.089"
    assert shown_at(html, "Failed", AT)["Failed"] == "2"
    assert shown_at(html, "Failed", AT)["Dead-lettered"] == "0"


def test_what_was_not_recorded_is_one_row_that_says_so(browser, group):
    make_sample(group, AT - 10 * MINUTE, lag=5)
    make_sample(group, AT - 5 * MINUTE, lag=6)

    html = show(browser)

    values = chart(html, "lag")["series"][0]["values"]
    assert values[-11:] == [5, None, None, None, None, 6, None, None, None, None, 0]
    gap = shown_at(html, "Events behind", AT - 9 * MINUTE)
    assert gap["Events behind"] == "not recorded"
    assert gap["From"] == f"{AT - 9 * MINUTE:%Y-%m-%d %H:%M:%S} UTC to {AT - 6 * MINUTE:%Y-%m-%d %H:%M:%S} UTC"


def test_a_group_that_commits_offsets_has_no_deliveries_that_fail(browser, owner, group):
    make_group(group.stream, "reader")

    html = browser.get("/streams/orders/consumer-groups/reader/over-time").content

    assert [series["label"] for series in chart(html, "failures")["series"]] == ["dead-lettered"]
    assert "Events committed" in html.decode()


@pytest.mark.parametrize(
    ("query", "points", "chosen"),
    [
        ("", 60, "Hour"),
        ("?window=1h", 60, "Hour"),
        ("?window=24h", 96, "Day"),
        ("?window=7d", 168, "Week"),
        ("?window=30d", 180, "30 days"),
        ("?window=century", 60, "Hour"),
        ("?from=2026-11-26T14:00&to=2026-11-26T14:30", 30, None),
        ("?from=2026-11-26T14:00:00.000Z&to=", 38, None),
    ],
)
def test_a_range_is_chosen_with_a_link_or_with_the_form(browser, group, query, points, chosen):
    html = show(browser, query)

    assert len(chart(html, "lag")["x"]) == points
    current = re.findall(r'aria-current="true">([^<]*)<', html.decode())
    assert current == ([chosen] if chosen else [])


def test_the_form_keeps_what_was_asked_for(browser, group):
    html = show(browser, "?from=2026-11-26T14:00:00.000Z&to=2026-11-26T14:30")

    assert 'value="2026-11-26T14:00:00"' in field(html, "from")
    assert 'value="2026-11-26T14:30"' in field(html, "to")


def test_what_is_over_does_not_ask_again_and_what_goes_on_does(browser, group):
    assert b'id="region"\n             data-live' in show(browser)
    assert b'id="region"\n             data-live' not in show(browser, "?from=2026-11-26T14:00&to=2026-11-26T14:30")


@pytest.mark.parametrize(
    ("query", "at_fault", "words"),
    [
        ("?from=&to=", "from", "Say since when."),
        ("?from=&to=2026-11-26T10:00", "from", "Say since when."),
        ("?from=yesterday", "from", "Write a date and a time"),
        ("?from=2026-11-26T10:00&to=soon", "to", "Write a date and a time"),
        ("?from=2026-11-26T10:00&to=2026-11-26T09:00", "to", "Must be later than"),
        ("?from=2027-01-01T00:00", "from", "Must have passed."),
        ("?from=2026-10-01T00:00", "from", "Only the last 30 days are kept: since 2026-10-27 14:37 UTC."),
    ],
)
def test_a_range_that_cannot_be_shown_marks_its_field_and_keeps_the_page(browser, group, query, at_fault, words):
    html = show(browser, query, status=422)
    other = "to" if at_fault == "from" else "from"

    assert 'aria-invalid="true"' in field(html, at_fault)
    assert f'aria-describedby="h-{at_fault}"' in field(html, at_fault)
    assert "aria-invalid" not in field(html, other)
    assert words in html.decode()
    assert b"<script id=" not in html
    # The page around it is there, and what was typed.
    assert b"Over time" in html
    for name in ("from", "to"):
        typed = re.search(rf"[?&]{name}=([^&]*)", query)
        assert f'value="{typed[1] if typed else ""}"' in field(html, name)


def test_a_region_is_given_alone(browser, group):
    asking = {"HX-Request": "true", "HX-Target": "region"}
    response = browser.get(PAGE, headers=asking)

    assert chart(response.content, "lag")
    assert b"<form" not in response.content


def test_the_tab_is_on_every_page_of_the_group(browser, group):
    assert f'href="{PAGE}"' in browser.get(PAGE.removesuffix("/over-time")).content.decode()


@pytest.mark.parametrize("query", ["", "?from=2026-11-26T14:00&to=2026-11-26T14:30"])
def test_a_range_of_which_nothing_is_known_says_so(browser, group, query):
    assert b"Nothing was recorded in this range" in show(browser, query)
    make_sample(group, AT - 20 * MINUTE)
    make_sample(group, AT - 19 * MINUTE)
    assert b"Nothing was recorded in this range" not in show(browser, query)
