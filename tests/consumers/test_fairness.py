"""Nothing starves: what failed, what is new and what must be handed out by itself all get their turn."""

import time

import pytest

from consumers.isolation import FailedEvent
from tests.consumers.leases import ack, lease, lease_one, let_expire, make_lease_group, offsets, produce
from tests.threads import at_once

pytestmark = pytest.mark.usefixtures("db_with_commits")

# Each coin falls wrong half of the time: a hundred times in a row is a defect.
MANY_TURNS = 100


def turns_until(group, wanted: set[int], *, max_events: int) -> int:
    """Lease and ack until all of these have come; return how many answers it took."""
    for turn in range(1, MANY_TURNS + 1):
        deliveries = lease(group, max_events).deliveries
        wanted = wanted - set(offsets(deliveries))
        ack(group, *deliveries)
        if not wanted:
            return turn
    raise AssertionError(f"{wanted} starve")


def test_what_failed_comes_though_there_is_always_something_new():
    group = make_lease_group()
    produce(group, 1_000)
    ack(group, lease_one(group, 20), failed=[FailedEvent(offset) for offset in range(1, 11)])

    assert turns_until(group, set(range(1, 11)), max_events=10) <= 3


def test_what_is_new_comes_though_something_has_always_failed():
    group = make_lease_group()
    produce(group, 1_010)
    ack(group, lease_one(group, 1_000), failed=[FailedEvent(offset) for offset in range(1, 1_001)])

    assert turns_until(group, set(range(1_001, 1_011)), max_events=10) <= 3


def test_one_event_at_a_time_both_come():
    group = make_lease_group()
    produce(group, 200)
    ack(group, lease_one(group, 100), failed=[FailedEvent(offset) for offset in range(1, 101)])

    came: list[int] = []
    for _ in range(60):
        delivery = lease_one(group, 1)
        came += offsets([delivery])
        ack(group, delivery)
    assert 10 <= sum(1 for offset in came if offset > 100) <= 50


def test_what_goes_by_itself_comes_though_there_is_always_something_else():
    group = make_lease_group()
    produce(group, 2_000)
    lease_one(group, 5)
    other = lease_one(group, 1_000)
    let_expire(group)
    ack(group, other, failed=[FailedEvent(offset, delay=0.0) for offset in range(6, 506)])

    turns_until(group, set(range(1, 6)), max_events=10)


def test_what_a_dead_consumer_held_is_with_another_within_the_ack_wait_and_two_seconds():
    group = make_lease_group(ack_wait_seconds=1)
    produce(group, 8)
    taken_at = time.monotonic()
    lease_one(group, 8, consumer="dies")
    came: list[tuple[int, float]] = []

    def consume() -> None:
        while len(came) < 8:
            assert time.monotonic() - taken_at < 20, f"in 20 s came {came}"
            deliveries = lease(group, 2, wait_seconds=1.0).deliveries
            came.extend((offset, time.monotonic() - taken_at) for offset in offsets(deliveries))
            assert set(ack(group, *deliveries)) <= {"acked"}

    at_once(*[consume] * 3)

    # Each once: nobody got what another had been given.
    assert sorted(offset for offset, _ in came) == list(range(1, 9))
    assert min(seconds for _, seconds in came) >= 1.0
    # The promise is three; a busy machine may need a moment more.
    assert max(seconds for _, seconds in came) <= 4.0
