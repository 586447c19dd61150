"""GET /streams/{stream}/consumer-groups/{group}/stats: lag, throughput and failures of a group over time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consumers.services.dead_letters.move import move_exhausted
from consumers.services.groups import delete_group
from observability.models import GroupHour, GroupMinute
from observability.numbers.ranges import range_of_window
from observability.numbers.rollups import delete_old_rollups, record_groups
from observability.numbers.stats import get_group_stats
from streams.lookup import load_stream
from tests.client import ApiClient
from tests.consumers.leases import ack, lease_one, make_due, nack, produce
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.observability.group_history import HISTORY, Clock, make_sample

pytestmark = pytest.mark.usefixtures("db_with_commits")

# In the middle of a minute, of a quarter and of an hour.
NOW = datetime(2026, 11, 26, 14, 37, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def clock(monkeypatch):
    return Clock(NOW, monkeypatch)


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def client(owner):
    return ApiClient(key=make_key(owner))


@pytest.fixture
def group(owner, clock):
    return make_group(make_stream("orders", owner=owner), "billing", mode="lease", backoff_seconds=(0,))


def ask(client, **parameters):
    return client.get("/streams/orders/consumer-groups/billing/stats", **parameters)


def stats(client, **parameters):
    response = ask(client, **parameters)
    assert response.status_code == 200, response.content
    return response.json()


def starts_of(found):
    return [datetime.fromisoformat(point["minute"]) for point in found["series"]]


def point_at(found, moment):
    [point] = [each for each in found["series"] if datetime.fromisoformat(each["minute"]) == moment]
    return {name: point[name] for name in ("lag", "finished", "failed", "dead_lettered")}


def test_a_story_is_told_by_the_minute(client, clock, group):
    produce(group, 10)
    record_groups(now=clock.now)
    ack(group, lease_one(group), failed=[3])
    clock.move(MINUTE)
    record_groups(now=clock.now)
    make_due(group)
    nack(group, lease_one(group), is_terminal=True)
    move_exhausted(group=group)
    clock.move(MINUTE)
    record_groups(now=clock.now)
    produce(group, 5)
    ack(group, lease_one(group))

    found = stats(client)

    at = NOW.replace(second=0)
    assert point_at(found, at) == {"lag": 10, "finished": 9, "failed": 1, "dead_lettered": 0}
    assert point_at(found, at + MINUTE) == {"lag": 8, "finished": 0, "failed": 1, "dead_lettered": 1}
    # The minute under way has what was done in it so far.
    assert point_at(found, at + 2 * MINUTE) == {"lag": 0, "finished": 5, "failed": 0, "dead_lettered": 0}


def test_it_says_how_the_group_stands_as_the_stream_does(client, group):
    produce(group, 3)

    found = stats(client)
    [listed] = client.get("/streams/orders/stats").json()["consumer_groups"]

    assert {name: found[name] for name in listed} == listed
    assert (found["id"], found["lag"]) == ("billing", 3)


@pytest.mark.parametrize(
    ("window", "step", "points"),
    [("1h", MINUTE, 60), ("24h", 15 * MINUTE, 96), ("7d", HOUR, 168), ("30d", 4 * HOUR, 180), ("1m", MINUTE, 1)],
)
def test_a_longer_window_has_longer_points(client, group, window, step, points):
    found = stats(client, window=window)

    starts = starts_of(found)
    assert found["step_seconds"] == step.total_seconds()
    assert len(starts) == points
    assert all(later - earlier == step for earlier, later in pairwise(starts))
    assert starts[-1] <= NOW < starts[-1] + step
    assert datetime.fromisoformat(found["from"]) == starts[0]
    assert found["to"] is None


def test_an_hour_unless_asked_otherwise(client, group):
    assert stats(client) == stats(client, window="1h")


def test_what_nobody_recorded_is_a_gap_and_not_a_zero(client, clock, group):
    at = NOW.replace(second=0)
    make_sample(group, at - 10 * MINUTE, lag=5, finished=100)
    make_sample(group, at - 9 * MINUTE, lag=4, finished=103)
    # Nobody came by for three minutes: of what was done meanwhile nothing is lost.
    make_sample(group, at - 6 * MINUTE, lag=1, finished=190)
    make_sample(group, at - 5 * MINUTE, lag=0, finished=191)

    found = stats(client)

    assert point_at(found, at - 20 * MINUTE) == dict.fromkeys(HISTORY)
    assert point_at(found, at - 10 * MINUTE)["finished"] == 3
    assert point_at(found, at - 9 * MINUTE) == {"lag": 4, "finished": 87, "failed": 0, "dead_lettered": 0}
    assert point_at(found, at - 8 * MINUTE) == dict.fromkeys(HISTORY)
    assert point_at(found, at - 7 * MINUTE) == dict.fromkeys(HISTORY)
    assert point_at(found, at - 6 * MINUTE)["finished"] == 1


def test_what_an_older_release_recorded_is_a_gap(client, clock, group):
    at = NOW.replace(second=0) - 5 * MINUTE
    GroupMinute.objects.create(group=group, minute=at, committed_offset=3, head_offset=9)

    assert point_at(stats(client), at) == dict.fromkeys(HISTORY)


def test_counts_that_begin_anew_are_no_negative_work(client, group):
    at = NOW.replace(second=0) - 5 * MINUTE
    make_sample(group, at, finished=100, failed=10, dead_lettered=1)
    make_sample(group, at + MINUTE)

    assert point_at(stats(client), at) == {"lag": 0, "finished": 0, "failed": 0, "dead_lettered": 0}


def test_a_day_is_told_by_the_quarter_of_an_hour(client, group):
    quarter = NOW.replace(minute=15, second=0) - 3 * HOUR
    for number in range(31):
        make_sample(group, quarter + number * MINUTE, lag=number, finished=2 * number, failed=number)

    found = stats(client, window="24h")

    assert point_at(found, quarter) == {"lag": 0, "finished": 30, "failed": 15, "dead_lettered": 0}
    assert point_at(found, quarter + 15 * MINUTE) == {"lag": 15, "finished": 30, "failed": 15, "dead_lettered": 0}


def test_a_week_is_told_by_the_hour_of_what_is_kept_for_longer(client, clock, group):
    clock.now = NOW - 5 * DAY
    produce(group, 10)
    record_groups(now=clock.now)
    ack(group, lease_one(group, 4))
    # A minute later in the same hour, which keeps the first of them.
    record_groups(now=clock.now + MINUTE)
    clock.move(HOUR)
    record_groups(now=clock.now)
    clock.now = NOW
    delete_old_rollups(now=NOW)
    assert not GroupMinute.objects.exists()

    found = stats(client, window="7d")

    hour = (NOW - 5 * DAY).replace(minute=0, second=0)
    assert point_at(found, hour) == {"lag": 10, "finished": 4, "failed": 0, "dead_lettered": 0}
    assert point_at(found, hour - HOUR) == dict.fromkeys(HISTORY)


def test_hours_are_kept_for_thirty_days_and_minutes_for_two(clock, group):
    for age in (timedelta(days=30, hours=2), timedelta(days=29), timedelta(days=1)):
        record_groups(now=NOW - age)

    assert delete_old_rollups(now=NOW) == 3, "two minutes, an hour"

    assert [row.hour for row in GroupHour.objects.order_by("hour")] == [
        (NOW - age).replace(minute=0, second=0) for age in (29 * DAY, DAY)
    ]
    assert [row.minute for row in GroupMinute.objects.all()] == [(NOW - DAY).replace(second=0)]


def test_recording_twice_in_a_minute_changes_nothing(group):
    produce(group, 3)
    record_groups(now=NOW)
    produce(group, 4)
    record_groups(now=NOW + timedelta(seconds=20))

    assert GroupMinute.objects.get().lag == GroupHour.objects.get().lag == 3


def test_a_deleted_group_takes_what_was_recorded_along(group):
    record_groups(now=NOW)
    delete_group(group=group, confirm="billing")

    assert not GroupMinute.objects.exists()
    assert not GroupHour.objects.exists()


# --- an own range ---


def test_an_own_range_has_its_points_and_no_others(client, group):
    for number in range(-3, 14):
        make_sample(group, NOW.replace(minute=number + 10, second=0), lag=number, finished=10 * number)

    found = stats(client, **{"from": "2026-11-26T14:10:00Z", "to": "2026-11-26T15:15:00+01:00"})

    assert starts_of(found) == [NOW.replace(minute=10 + number, second=0) for number in range(5)]
    assert [point["lag"] for point in found["series"]] == [0, 1, 2, 3, 4]
    # The last one too: what followed it was recorded.
    assert [point["finished"] for point in found["series"]] == [10] * 5
    assert datetime.fromisoformat(found["to"]) == NOW.replace(minute=15, second=0)


def test_the_end_may_be_open(client, group):
    found = stats(client, **{"from": "2026-11-26T14:30:59Z"})

    assert starts_of(found)[0] == NOW.replace(minute=30, second=0)
    assert starts_of(found)[-1] == NOW.replace(second=0)
    assert found["to"] is None


def test_an_end_that_has_not_come_yet_is_an_open_one(client, group):
    found = stats(client, **{"from": "2026-11-26T14:30:00Z", "to": "2026-11-26T23:00:00Z"})

    assert starts_of(found)[-1] == NOW.replace(second=0)


def test_a_short_range_of_long_ago_is_told_by_the_hour(client, group):
    """Its minutes are not kept any more."""
    GroupHour.objects.create(
        group=group,
        hour=datetime(2026, 11, 20, 10, tzinfo=UTC),
        minute=datetime(2026, 11, 20, 10, tzinfo=UTC),
        lag=7,
        finished_count=1,
        failed_count=0,
        dead_letter_count=0,
    )
    found = stats(client, **{"from": "2026-11-20T10:10:00Z", "to": "2026-11-20T10:20:00Z"})

    assert found["step_seconds"] == 3600
    assert [point["lag"] for point in found["series"]] == [7]


@pytest.mark.parametrize("hours", [1, 3, 4, 17, 30, 50, 51, 24 * 7, 24 * 30 - 1])
def test_no_range_has_more_than_about_two_hundred_points(client, group, hours):
    begins_at = (NOW - timedelta(hours=hours)).isoformat()

    assert 40 <= len(stats(client, **{"from": begins_at})["series"]) <= 201


@pytest.mark.parametrize(
    ("parameters", "at_fault"),
    [
        ({"from": "yesterday"}, "?from"),
        ({"from": ""}, "?from"),
        ({"from": "2026-11-26T10:00:00"}, "?from"),
        ({"from": "2026-11-26T10:00:00Z", "to": "soon"}, "?to"),
        ({"from": "2026-11-26T10:00:00Z", "to": "2026-11-26T09:00:00Z"}, "?to"),
        ({"from": "2026-11-26T10:00:00Z", "to": "2026-11-26T10:00:00Z"}, "?to"),
        ({"from": "2026-11-26T14:37:31Z"}, "?from"),
        ({"from": "2026-10-27T14:37:29Z"}, "?from"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "?from"),
        ({"to": "2026-11-26T10:00:00Z"}, "?from"),
        ({"from": "2026-11-26T10:00:00Z", "window": "1h"}, "?window"),
        ({"to": "2026-11-26T10:00:00Z", "window": "1h"}, "?window"),
        ({"window": "31d"}, "?window"),
        ({"since": "2026-11-26T10:00:00Z"}, "?since"),
    ],
)
def test_a_range_that_cannot_be_told_is_refused(client, group, parameters, at_fault):
    response = ask(client, **parameters)

    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == [at_fault]


def test_the_number_of_queries_does_not_grow(group):
    def queries():
        info = load_stream("orders")
        wanted = range_of_window(86_400, now=NOW)
        with CaptureQueriesContext(connection) as captured:
            get_group_stats(info, "billing", wanted, now=NOW)
        return len(captured)

    produce(group, 5)
    few = queries()
    for number in range(200):
        make_sample(group, NOW - number * MINUTE, lag=number)
    for number in range(10):
        make_group(group.stream, f"more-{number}")
    produce(group, 50)
    assert queries() == few <= 18


def test_a_group_of_a_hidden_stream_is_missing(owner):
    make_group(make_stream("orders", owner=owner, visibility="restricted"), "billing")
    stranger = ApiClient(key=make_key(make_owner()))

    assert ask(stranger).status_code == 404
