"""GET /streams/{stream}/stats: numbers that agree with the log, at a constant cost."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from consumers.models import DeadLetter, Delivery, GroupOffset
from observability.models import GroupMinute
from observability.numbers.rollups import record_groups, roll_up
from observability.numbers.stats import get_stream_stats
from streams.log import engine_aliases, get_log
from streams.lookup import load_stream
from streams.models import Partition
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.observability.appending import append, pretend_recorded

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def client(owner):
    return ApiClient(key=make_key(owner))


def stats(client, stream, **parameters):
    response = client.get(f"/streams/{stream.name}/stats", **parameters)
    assert response.status_code == 200, response.content
    return response.json()


def commit(group, offset, partition=0):
    GroupOffset.objects.filter(group=group, partition__number=partition).update(committed_offset=offset)


def test_an_empty_stream(client, owner):
    found = stats(client, make_stream(owner=owner))

    assert found["event_count"] == found["stored_bytes"] == found["head_offset"] == 0
    assert found["earliest_offset"] == 1
    assert found["rate_per_second"] == 0
    assert found["last_event_at"] is None
    assert found["types"] == found["consumer_groups"] == []
    assert len(found["series"]) == 60
    assert sum(point["events"] for point in found["series"]) == 0


def test_what_was_appended_is_counted_before_it_is_rolled_up(client, owner):
    stream = make_stream(owner=owner)
    size = append(stream, "a", "b", "a")

    found = stats(client, stream)

    assert found["event_count"] == found["head_offset"] == 3
    assert found["not_rolled_up"] == 3
    assert sum(point["events"] for point in found["series"]) == 3
    assert sum(point["bytes"] for point in found["series"]) == size
    assert found["types"] == []
    assert found["rate_per_second"] > 0
    assert found["stored_bytes"] == Partition.objects.get(stream=stream).stored_bytes
    assert "bytes" not in found


def test_rolling_up_changes_where_numbers_come_from_and_not_the_numbers(client, owner, monkeypatch):
    stream = make_stream(owner=owner, partitions=2)
    append(stream, "a", "b", "a", partition=0)
    append(stream, "a", partition=1)
    # Rates are of the time that has gone by: for both the same.
    now = datetime.now(UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    before = stats(client, stream)
    roll_up(seconds=60)
    after = stats(client, stream)

    assert after["not_rolled_up"] == 0
    for name in ("event_count", "head_offset", "stored_bytes", "last_event_at", "rate_per_second"):
        assert after[name] == before[name]
    assert sum(point["events"] for point in after["series"]) == 4
    assert sum(p["bytes"] for p in after["series"]) == sum(p["bytes"] for p in before["series"])
    assert [(each["type"], each["events"]) for each in after["types"]] == [("a", 3), ("b", 1)]


def test_the_series_has_every_minute_of_the_window_in_order(client, owner):
    stream = make_stream(owner=owner)
    now = datetime.now(UTC)
    append(stream, "a", "a")
    append(stream, "b")
    pretend_recorded(stream, 2, now - timedelta(minutes=30))
    pretend_recorded(stream, 3, now - timedelta(minutes=90))
    roll_up(seconds=60)

    hour = stats(client, stream, window="1h")
    day = stats(client, stream, window="24h")

    starts = [datetime.fromisoformat(point["minute"]) for point in hour["series"]]
    assert len(starts) == 60
    assert all(later - earlier == timedelta(minutes=1) for earlier, later in itertools.pairwise(starts))
    assert [point["events"] for point in hour["series"] if point["events"]] == [2]
    assert [each["type"] for each in hour["types"]] == ["a"]
    assert len(day["series"]) == 1440
    assert [point["events"] for point in day["series"] if point["events"]] == [1, 2]
    assert {each["type"]: each["events"] for each in day["types"]} == {"a": 2, "b": 1}


def test_a_long_window_is_answered_by_the_hour(client, owner):
    stream = make_stream(owner=owner)
    append(stream, "a", "b")
    append(stream, "a")
    now = datetime.now(UTC)
    pretend_recorded(stream, 2, now - timedelta(days=6))
    pretend_recorded(stream, 3, now - timedelta(days=6))
    roll_up(seconds=60)

    week = stats(client, stream, window="7d")

    assert len(week["series"]) == 7 * 24
    assert [point["events"] for point in week["series"] if point["events"]] == [3]
    assert {each["type"]: each["events"] for each in week["types"]} == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    "window", ["", "0m", "31d", "1", "h", "1.5h", "-1h", "1H", "٣h", "99999999d", "1h ", "1w", "01h"]
)
def test_a_bad_window_is_refused(client, owner, window):
    response = client.get(f"/streams/{make_stream(owner=owner).name}/stats", window=window)

    assert response.status_code == 422
    assert response.json()["code"] == "invalid_parameter"


def test_lag_is_exact_at_every_moment(client, owner):
    stream = make_stream(owner=owner, partitions=2)
    early = make_group(stream, "early")
    append(stream, "a", "a", "a", partition=0)
    append(stream, "a", partition=1)
    make_group(stream, "late", start="latest")

    def lag():
        return {
            each["id"]: (each["lag"], each["lag_seconds"] is None) for each in stats(client, stream)["consumer_groups"]
        }

    assert lag() == {"early": (4, False), "late": (0, True)}
    commit(early, 2, partition=0)
    assert lag()["early"] == (2, False)
    append(stream, "a", partition=1)
    assert lag() == {"early": (3, False), "late": (1, False)}
    commit(early, 3, partition=0)
    commit(early, 2, partition=1)
    assert lag()["early"] == (0, True)


def test_lag_in_seconds_is_the_age_of_the_first_unfinished_event(client, owner):
    stream = make_stream(owner=owner)
    group = make_group(stream)
    append(stream, "a", "a")
    append(stream, "b")
    now = timezone.now()
    pretend_recorded(stream, 2, now - timedelta(seconds=500))
    pretend_recorded(stream, 3, now - timedelta(seconds=100))

    def lag_seconds():
        [found] = stats(client, stream)["consumer_groups"]
        return found["lag_seconds"]

    assert 500 <= lag_seconds() < 530
    commit(group, 1)
    assert 500 <= lag_seconds() < 530
    commit(group, 2)
    assert 100 <= lag_seconds() < 130


def test_what_is_leased_waits_or_is_dead_is_counted_in_events(client, owner):
    stream = make_stream(owner=owner)
    group = make_group(stream, mode="lease")
    append(stream, *["a"] * 20)
    partition = Partition.objects.get(stream=stream)
    now = timezone.now()
    import uuid

    def leased(first, last, expires_at):
        Delivery.objects.create(
            group=group,
            partition=partition,
            first_offset=first,
            last_offset=last,
            state="leased",
            delivery_count=1,
            lease_token=uuid.uuid4(),
            leased_at=now,
            lease_expires_at=expires_at,
            created_at=now,
        )

    leased(1, 5, now + timedelta(hours=1))
    leased(6, 7, now - timedelta(hours=1))
    Delivery.objects.create(
        group=group,
        partition=partition,
        first_offset=8,
        last_offset=8,
        state="waiting",
        available_at=now,
        created_at=now,
    )
    for offset, status in ((9, "open"), (10, "open"), (11, "discarded")):
        closed_at = now if status == "discarded" else None
        DeadLetter.objects.create(
            group=group,
            partition=partition,
            offset=offset,
            reason="terminal",
            status=status,
            created_at=now,
            closed_at=closed_at,
        )

    [found] = stats(client, stream)["consumer_groups"]

    assert found["in_flight"] == 5
    assert found["waiting"] == 3, "one given back, two whose lease has expired"
    assert found["dead_letters"] == 2


def test_what_retention_took_before_the_group_came_by_is_told(client, owner):
    stream = make_stream(owner=owner, retention_max_events=1)
    group = make_group(stream)
    append(stream, "a", "a", "a")
    append(stream, "b")
    commit(group, 1)
    get_log().trim(load_stream(stream.name).partitions[0], keep_events=1)

    [found] = stats(client, stream)["consumer_groups"]

    assert found["missing"] == 2
    assert found["retention_risk_seconds"] == 0


def test_the_risk_of_retention_by_age(client, owner):
    stream = make_stream(owner=owner, retention_max_age_seconds=3600)
    make_group(stream)
    append(stream, "a")
    pretend_recorded(stream, 1, timezone.now() - timedelta(seconds=600))

    [found] = stats(client, stream)["consumer_groups"]

    assert 2950 < found["retention_risk_seconds"] <= 3000


def test_the_time_to_catch_up_follows_from_the_last_minutes(owner):
    stream = make_stream(owner=owner)
    gaining, _losing = make_group(stream, "gaining"), make_group(stream, "losing")
    append(stream, *["a"] * 100)
    now = timezone.now()
    record_groups(now=now - timedelta(seconds=180))
    then = GroupMinute.objects.first().minute
    commit(gaining, 60)
    append(stream, *["a"] * 20)

    found = get_stream_stats(load_stream(stream.name), window_seconds=3600, now=now)
    by_name = {standing.name: outlook for standing, outlook in found.groups}

    # It finished 60 while 20 came: 40 gained, 60 to go.
    assert by_name["gaining"].catch_up_seconds == pytest.approx(60 * (now - then).total_seconds() / 40)
    assert by_name["losing"].catch_up_seconds is None
    elapsed = (now - then).total_seconds()
    assert by_name["gaining"].finished_per_second == pytest.approx(60 / elapsed)
    assert by_name["losing"].finished_per_second == 0
    assert by_name["losing"].appended_per_second == pytest.approx(20 / elapsed)


def test_the_number_of_queries_does_not_grow(owner):
    def queries(streams_groups, partitions, batches):
        stream = make_stream(owner=owner, partitions=partitions)
        for _ in range(streams_groups):
            make_group(stream)
        for number in range(batches):
            append(stream, "a", "b", partition=number % partitions)
        info = load_stream(stream.name)
        with CaptureQueriesContext(connection) as captured:
            get_stream_stats(info, window_seconds=3600, now=timezone.now())
        return len(captured)

    few = queries(1, 1, 1)
    assert queries(20, 8, 50) == few
    # What was seen of other engines is asked for, too.
    assert few <= 15 + bool(engine_aliases())


def test_a_stranger_does_not_see_it(owner):
    stream = make_stream(owner=owner, visibility="restricted")
    stranger = ApiClient(key=make_key(make_owner()))

    assert stranger.get(f"/streams/{stream.name}/stats").status_code == 404
