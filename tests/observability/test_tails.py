"""What is not rolled up yet counts where it belongs: in rates and series, however far the roll-ups are behind."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from observability.numbers.holdings import load_holdings
from observability.numbers.rates import rate_per_second
from observability.numbers.rollups import roll_up
from observability.numbers.series import make_points
from observability.numbers.tails import Tail, load_tails
from streams.log import get_log
from streams.lookup import load_stream
from streams.models import Stream
from tests.factories import make_stream
from tests.observability.appending import append, pretend_recorded

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_a_tail_of_one_moment_is_after_every_moment_up_to_its_own_and_before_all_others():
    tail = Tail(events=7, bytes=70, since=NOON, until=NOON)
    assert (tail.events_until(at(-1)), tail.events_until(NOON), tail.events_until(at(1))) == (0, 0, 7)
    assert tail.bytes_until(at(1)) == 70


def test_a_longer_tail_is_taken_to_be_evenly_spread():
    tail = Tail(events=100, bytes=1_000, since=NOON, until=at(10))
    assert [tail.events_until(at(minute)) for minute in (-5, 0, 1, 5, 10, 11)] == [0, 0, 10, 50, 100, 100]
    assert tail.bytes_until(at(2.5)) == 250


def test_the_rate_looks_at_the_minute_under_way_and_the_one_before():
    fresh = Tail(events=30, bytes=0, since=at(-0.5), until=NOON)
    assert rate_per_second(rolled_up_events=60, tails=[fresh], now=at(0.5)) == (60 + 30) / 90
    assert rate_per_second(rolled_up_events=0, tails=[], now=NOON) == 0


def test_of_a_tail_that_began_earlier_only_what_is_recent_makes_the_rate():
    hour = Tail(events=3_600, bytes=0, since=at(-60), until=NOON)
    assert rate_per_second(rolled_up_events=0, tails=[hour], now=NOON) == pytest.approx(1.0)


def test_a_series_loses_nothing_of_a_tail_that_its_window_covers_and_shows_no_peak():
    tail = Tail(events=100, bytes=1_003, since=at(-20), until=at(-0.5))
    points = make_points([(at(-30), 5, 50)], [tail], window_seconds=3600, now=NOON)

    assert sum(point.events for point in points) == 105
    assert sum(point.bytes for point in points) == 1_053
    assert max(point.events for point in points) <= 6
    assert {point.start for point in points if point.events} == {at(-30)} | {at(-minute) for minute in range(1, 21)}


def test_what_lies_before_the_window_is_not_in_the_series():
    tail = Tail(events=120, bytes=0, since=at(-120), until=NOON)
    assert sum(point.events for point in make_points([], [tail], window_seconds=3600, now=at(0.5))) == 59


def test_the_newest_point_takes_what_a_faster_clock_recorded_after_it():
    tail = Tail(events=5, bytes=50, since=at(2), until=at(3))
    points = make_points([], [tail], window_seconds=3600, now=NOON)
    assert (points[-1].start, points[-1].events, points[-1].bytes) == (NOON, 5, 50)


@pytest.fixture
def stream(db_with_commits):
    return make_stream("orders", partitions=2)


def tail_of(stream: Stream) -> Tail | None:
    tail = load_tails(Stream.objects.filter(pk=stream.pk)).get(stream.pk)
    assert load_holdings(stream_ids=[stream.pk], now=timezone.now())[stream.pk].tail == tail
    return tail


def test_a_tail_begins_with_the_first_event_that_is_not_rolled_up(stream):
    append(stream, "a", "a")
    pretend_recorded(stream, 2, timezone.now() - timedelta(hours=5))
    roll_up(seconds=60)
    assert tail_of(stream) is None
    size = append(stream, "b") + append(stream, "b", "c", partition=1)

    tail = tail_of(stream)

    assert tail is not None
    assert (tail.events, tail.bytes) == (3, size)
    assert timezone.now() - timedelta(seconds=30) < tail.since <= tail.until <= timezone.now()


def test_a_stream_that_wakes_after_hours_has_its_rate_at_once(stream):
    append(stream, "a")
    pretend_recorded(stream, 1, timezone.now() - timedelta(hours=5))
    roll_up(seconds=60)
    append(stream, *["b"] * 120)

    now = timezone.now()
    rate = load_holdings(stream_ids=[stream.pk], now=now)[stream.pk].rate_per_second

    assert 120 / 120 <= rate <= 120 / 60


def test_a_tail_that_retention_took_was_appended_all_the_same(stream):
    append(stream, "a", "a", "a")
    get_log().trim(load_stream("orders").partitions[0], keep_events=0)

    tail = tail_of(stream)

    assert tail is not None
    assert tail.events == 3
    assert tail.since == tail.until


def test_what_retention_took_before_it_was_rolled_up_is_in_no_tail_afterwards(stream):
    append(stream, "a", payload="p" * 5_000)
    get_log().trim(load_stream("orders").partitions[0], keep_events=0)
    roll_up(seconds=60)
    size = append(stream, "b")

    tail = tail_of(stream)

    assert tail is not None
    assert (tail.events, tail.bytes) == (1, size)
