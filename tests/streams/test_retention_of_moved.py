"""What retention would take of a stream that was moved is told before: as much as goes, of every stretch."""

from datetime import timedelta

import pytest
from django.utils import timezone

from streams.log import SIGHTINGS, get_log
from streams.log.protocol import PartitionAppend
from streams.lookup import load_stream
from streams.models import MoveState
from streams.services.moving.asking import ask_for_move
from streams.services.moving.steps import carry_out
from streams.times import format_time
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream
from tests.streams.log.appending import event
from tests.streams.test_retention import record_earlier

# Where a stream's events lie: how many, one after the other.
THERE = (("postgres", 4), ("distant", 9))
THERE_AND_BACK = (("postgres", 4), ("distant", 3), ("postgres", 5))
THERE_WITHOUT_ANY_YET = (("postgres", 4), ("distant", 0))
TWICE = (("postgres", 3), ("distant", 0), ("postgres", 0), ("distant", 4), ("postgres", 2), ("distant", 1))


pytestmark = pytest.mark.usefixtures("distant")


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def shop(owner):
    return ApiClient(key=make_key(owner))


def lay_out(stretches, owner=None):
    """Return a stream with a partition of such stretches, and when each of its events was recorded."""
    stream = make_stream("orders", owner=owner)
    times = []
    for number, (engine, count) in enumerate(stretches):
        if number:
            stream.refresh_from_db()
            assert carry_out(ask_for_move(stream=stream, target=engine, allow_weak=True)).state == MoveState.MOVED
        [partition] = load_stream("orders").partitions
        for name in range(count):
            times.append(get_log().append([PartitionAppend(partition, [event(str(name))])]).ranges[0].recorded_at)
        SIGHTINGS.write()
    stream.refresh_from_db()
    [partition] = load_stream("orders").partitions
    return stream, partition, times


def limits_around(times):
    yield {}
    yield from ({"keep_events": count} for count in range(len(times) + 2))
    yield from ({"recorded_before": at} for at in [*times, timezone.now() + timedelta(hours=1)])
    yield {"recorded_before": times[2], "keep_events": 6}


def refused(client, retention):
    answer = client.patch("/streams/orders", {"retention": retention})
    assert (answer.status_code, answer.json()["code"]) == (422, "confirmation_missing"), answer.content
    return answer.json()["detail"]


@pytest.mark.parametrize("stretches", [THERE, THERE_WITHOUT_ANY_YET, THERE_AND_BACK, TWICE])
def test_what_trims_would_delete_of_all_stretches_is_told_before(stretches):
    _, partition, times = lay_out(stretches)
    log = get_log()
    earliest = 1
    told = [(limits, log.foresee_trim([partition], **limits)[partition.id]) for limits in limits_around(times)]
    # Those that take least come first, so that what the one takes the next one would have taken as well.
    for limits, front in sorted(told, key=lambda each: each[1].first_kept):
        assert (front.earliest_offset, front.is_cut) == (1, False)
        assert front.kept_since == (times[front.first_kept - 1] if front.first_kept <= len(times) else None), limits
        while log.trim(partition, **limits):
            pass
        earliest = log.bounds([partition])[partition.id].earliest_offset
        assert earliest == front.first_kept, limits
    assert earliest == len(times) + 1


def test_a_limit_that_deletes_what_lies_in_the_older_engine_asks_first(shop, owner):
    stream, _, times = lay_out(THERE, owner)
    record_earlier(stream, *[timedelta(hours=2)] * 4)
    assert refused(shop, {"max_age": 3600}).startswith(
        f"This deletes 4 events at once, for good; what was recorded since {format_time(times[4]).decode()} stays."
    )
    assert refused(shop, {"max_events": 2}).startswith(
        f"This deletes 11 events at once, for good; what was recorded since {format_time(times[11]).decode()} stays."
    )


def test_a_stream_that_came_back_may_be_given_a_limit_by_age(shop, owner):
    lay_out(THERE_AND_BACK, owner)
    assert shop.patch("/streams/orders", {"retention": {"max_age": 3600}}).status_code == 200
    assert refused(shop, {"max_age": 3600, "max_events": 1}).startswith("This deletes 11 events at once")
