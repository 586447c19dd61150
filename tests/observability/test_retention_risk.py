"""When will retention take what a group has not finished?"""

from datetime import UTC, datetime

import pytest

from observability.numbers.retention_risk import RetentionLimits, seconds_until_taken, share_limits
from streams.log.protocol import Bounds

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def risk(limits, *, committed, earliest=1, head=100, age=10.0, stored_bytes=1000, rate=2.0):
    return seconds_until_taken(
        Bounds(earliest, head, NOW),
        limits,
        committed_offset=committed,
        age_seconds=age,
        stored_bytes=stored_bytes,
        rate_per_second=rate,
    )


def test_without_limits_there_is_no_risk():
    assert risk(RetentionLimits(), committed=0) is None


def test_by_age_it_is_what_the_first_unfinished_event_has_left():
    assert risk(RetentionLimits(max_age_seconds=3600), committed=0, age=600) == 3000


def test_an_event_past_its_age_may_go_now():
    assert risk(RetentionLimits(max_age_seconds=60), committed=0, age=600) == 0


def test_by_count_it_is_how_long_the_room_that_is_left_lasts():
    assert risk(RetentionLimits(max_events=200), committed=40, rate=2.0) == (200 - 60) / 2.0


def test_by_bytes_it_takes_events_to_be_of_the_same_size():
    # 10 bytes an event: 1,500 bytes hold 150 events, of which 100 are unfinished.
    assert risk(RetentionLimits(max_bytes=1_500), committed=0, rate=5.0) == 10.0


def test_a_stream_that_gains_nothing_loses_nothing_by_count():
    assert risk(RetentionLimits(max_events=200), committed=0, rate=0.0) is None


def test_the_nearest_limit_counts():
    assert risk(RetentionLimits(max_age_seconds=3600, max_events=120), committed=0, rate=1.0, age=0) == 20


def test_what_is_gone_already_is_no_risk_but_a_fact():
    assert risk(RetentionLimits(max_age_seconds=10**6), committed=3, earliest=10) == 0


@pytest.mark.parametrize("partitions", [1, 3])
def test_limits_are_shared_out_among_partitions_as_retention_does(partitions):
    limits = share_limits(max_age_seconds=60, max_bytes=900, max_events=90, partitions=partitions)
    assert limits == RetentionLimits(60, 900 // partitions, 90 // partitions)
