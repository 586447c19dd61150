"""Which batches are put together: neighbours, as many as the limits allow, and none that is large already."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.log.merge_plan import BatchOutline, group_batches
from streams.log.protocol import MergeLimits

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
LIMITS = MergeLimits(START, max_events=100, max_bytes=10_000, max_span=timedelta(seconds=100))


def outlines(*batches, first=1):
    """Build batches that follow each other, of (events, unpacked bytes), a second apart."""
    found = []
    offset = first - 1
    for number, (events, size) in enumerate(batches):
        offset += events
        at = START + timedelta(seconds=number)
        found.append(BatchOutline(offset, events, at, at, size))
    return found


def plan(batches, limits=LIMITS):
    return [([batch.last_offset for batch in group.batches], group.is_open) for group in group_batches(batches, limits)]


def test_neighbours_go_together_up_to_the_events_that_one_may_hold():
    assert [len(group) for group, _ in plan(outlines(*[(10, 100)] * 25))] == [10, 10, 5]


def test_and_up_to_its_bytes():
    assert [len(group) for group, _ in plan(outlines(*[(1, 2_400)] * 9))] == [4, 4, 1]


def test_only_the_last_group_may_still_grow():
    assert [is_open for _, is_open in plan(outlines(*[(10, 100)] * 25))] == [False, False, True]
    assert plan(outlines(*[(10, 100)] * 20))[-1][1] is False
    assert plan([]) == []


@pytest.mark.parametrize("large", [(25, 100), (1, 2_500), (99, 1), (1, None)])
def test_what_is_large_enough_or_cannot_be_read_stays_alone(large):
    batches = outlines((1, 10), (1, 10), large, (1, 10), (1, 10))
    ends = [batch.last_offset for batch in batches]
    assert plan(batches) == [(ends[:2], False), (ends[2:3], False), (ends[3:], True)]


def test_nothing_is_put_together_over_a_hole():
    assert plan([*outlines((1, 10), (1, 10)), *outlines((1, 10), first=4)]) == [([1, 2], False), ([4], True)]


def test_a_batch_spans_no_more_time_than_it_may():
    limits = LIMITS._replace(max_span=timedelta(seconds=2))
    assert [len(group) for group, _ in plan(outlines(*[(1, 10)] * 7), limits)] == [3, 3, 1]


def test_the_time_of_a_merged_batch_counts_from_its_first_event():
    first, second = outlines((2, 10), (1, 10))
    limits = LIMITS._replace(max_span=timedelta(seconds=10))
    assert plan([first._replace(since=START - timedelta(seconds=9)), second], limits) == [([2, 3], True)]
    assert plan([first._replace(since=START - timedelta(seconds=10)), second], limits) == [([2], False), ([3], True)]
