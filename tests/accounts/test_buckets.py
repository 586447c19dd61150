"""A bucket holds its rate in the long run, whatever comes at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.limits.buckets import MAX_DEBT_SECONDS, Bucket, Rate

RATE = Rate(per_second=10, burst=100)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(RATE, now=0.0)


def test_a_full_one_gives_its_burst_and_then_its_rate(bucket):
    bucket.spend(100, 0.0)
    assert bucket.wait_seconds(0.0) > 0
    assert bucket.wait_seconds(0.2) == 0


def test_it_never_holds_more_than_its_burst(bucket):
    bucket.spend(1, 0.0)
    bucket.spend(100, 10_000.0)
    assert bucket.wait_seconds(10_000.0) > 0


def test_what_overdraws_it_is_paid_off_before_anything_else_passes(bucket):
    bucket.spend(150, 0.0)
    assert bucket.wait_seconds(0.0) == pytest.approx(5.0)
    assert bucket.wait_seconds(4.0) == pytest.approx(1.0)
    assert bucket.wait_seconds(5.1) == 0


def test_nobody_waits_for_longer_than_the_longest_debt(bucket):
    bucket.spend(1_000_000, 0.0)
    assert bucket.wait_seconds(0.0) == MAX_DEBT_SECONDS


def test_what_all_have_left_counts_and_what_was_spent_here_meanwhile(bucket):
    bucket.spend(10, 0.0)
    assert bucket.take_unreported() == 10
    bucket.spend(5, 0.0)
    bucket.learn(20, 0.0)
    bucket.spend(16, 0.0)
    assert bucket.wait_seconds(0.0) == pytest.approx(0.1)
    assert bucket.take_unreported() == 21


def test_what_others_say_is_left_is_never_more_than_it_holds(bucket):
    bucket.learn(10 * RATE.burst, 0.0)
    bucket.spend(RATE.burst, 0.0)
    assert bucket.wait_seconds(0.0) > 0


def test_a_clock_that_goes_back_fills_nothing(bucket):
    bucket.spend(100, 10.0)
    assert bucket.wait_seconds(0.0) > 0


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), max_size=200))
def test_in_the_long_run_no_more_passes_than_rate_and_burst_and_one_overdraft(steps):
    bucket, now, passed = Bucket(RATE, now=0.0), 0.0, 0
    for pause, amount in steps:
        now += pause
        if not bucket.wait_seconds(now):
            bucket.spend(amount, now)
            passed += amount
    assert passed <= RATE.burst + now * RATE.per_second + 50 + 1e-6
