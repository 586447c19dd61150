"""A failed delivery waits as its group's backoff list says."""

import pytest

from consumers.backoff import backoff_seconds

SCHEDULE = (5, 30, 120)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 5), (1, 5), (2, 30), (3, 120), (4, 120), (99, 120)])
def test_each_failure_waits_longer_and_the_last_entry_repeats(failures, seconds):
    assert backoff_seconds(SCHEDULE, failure_count=failures, jitter=0) == seconds


@pytest.mark.parametrize(("jitter", "seconds"), [(-1, 4), (1, 6), (-9, 4), (9, 6), (0.5, 5.5)])
def test_jitter_spreads_by_a_fifth_at_most(jitter, seconds):
    assert backoff_seconds(SCHEDULE, failure_count=1, jitter=jitter) == pytest.approx(seconds)
