"""When the disk will be full: an estimate that a single jump does not sway."""

import pytest

from observability.numbers.disk.forecast import Room, seconds_until_full

GIB = 2**30
HOUR = 3600
TEN_MINUTES = 600


def samples(*used_gib, capacity_gib=100.0, every=TEN_MINUTES):
    return [Room(number * every, int(used * GIB), int(capacity_gib * GIB)) for number, used in enumerate(used_gib)]


def growing(count, *, start=50.0, by=0.1, **more):
    return samples(*(start + by * number for number in range(count)), **more)


def test_what_grows_steadily_is_full_when_the_rest_is_used_up():
    # 5.0 GiB in the hours so far, 0.1 in ten minutes; 44.9 are left.
    assert seconds_until_full(growing(52)) == pytest.approx(44.9 / 0.1 * TEN_MINUTES, rel=0.001)


def test_what_stays_or_shrinks_is_never_full():
    assert seconds_until_full(growing(52, by=0)) is None
    assert seconds_until_full(growing(52, by=-0.1)) is None


def test_what_grows_by_next_to_nothing_is_not_full_within_a_year_and_is_not_foretold():
    crumbs = [Room(number * TEN_MINUTES, 50 * GIB + number, 100 * GIB) for number in range(52)]
    assert seconds_until_full(crumbs) is None


def test_too_few_samples_and_too_short_a_time_tell_nothing():
    assert seconds_until_full([]) is None
    assert seconds_until_full(growing(1)) is None
    assert seconds_until_full(growing(5, every=HOUR)) is None
    assert seconds_until_full(growing(6, every=HOUR)) is not None
    assert seconds_until_full(growing(18)) is None
    assert seconds_until_full(growing(19)) is not None


def test_a_file_that_came_at_once_is_no_trend_and_one_that_went_hides_none():
    quiet = [50.0] * 100
    assert seconds_until_full(samples(*quiet, *([70.0] * 40))) is None
    steady = [10 + 0.1 * number for number in range(140)]
    emptied = [used - (8 if number > 110 else 0) for number, used in enumerate(steady)]
    expected = (100 - emptied[-1]) / 0.1 * TEN_MINUTES
    assert seconds_until_full(samples(*emptied)) == pytest.approx(expected, rel=0.05)


def test_another_capacity_begins_anew():
    before = growing(100, start=80.0)
    at = before[-1].at
    larger = [Room(at + each.at + TEN_MINUTES, each.used_bytes, 500 * GIB) for each in growing(10, start=90.0)]
    assert seconds_until_full([*before, *larger]) is None
    later = [Room(at + each.at + TEN_MINUTES, each.used_bytes, 500 * GIB) for each in growing(40, start=90.0)]
    assert seconds_until_full([*before, *later]) == pytest.approx((500 - 93.9) / 0.1 * TEN_MINUTES, rel=0.001)


def test_a_capacity_that_drifts_is_the_same_disk():
    drifting = [
        Room(each.at, each.used_bytes, each.capacity_bytes - number * GIB // 50)
        for number, each in enumerate(growing(52))
    ]
    left = 100 - 51 * 0.02 - 55.1
    assert seconds_until_full(drifting) == pytest.approx(left / 0.12 * TEN_MINUTES, rel=0.001)


def test_a_disk_that_is_full_already_is_full_now():
    assert seconds_until_full(growing(52, start=95.0)) == 0
    assert seconds_until_full(growing(52, start=101.0, by=0)) is None


def test_samples_of_the_same_moment_divide_by_nothing():
    twice = [*growing(52), growing(52)[-1]]
    assert seconds_until_full(twice) is not None
