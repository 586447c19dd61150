"""A process remembers for a moment where partitions end: no lease gets less for it, and none waits longer."""

import time

import pytest

from consumers.conf import MIN_SORTED_AT_ONCE
from streams.log import get_log
from tests.consumers.leases import (
    ack,
    info,
    lease,
    lease_one,
    lease_together,
    make_lease_group,
    nack,
    offsets,
    produce,
    produce_kinds,
)

pytestmark = pytest.mark.usefixtures("db_with_commits")

WANTED = {"type": "wanted"}


def remember_ends(group) -> None:
    """Let this process see where the partitions of the group's stream end, as a lease of another group does."""
    lease(make_lease_group(stream=group.stream), 1)


def test_a_partition_that_the_order_holds_up_keeps_nobody_from_another_one():
    group = make_lease_group(partitions=2, ordering="partition", backoff_seconds=(1000,))
    produce(group, 10, partition=0)
    nack(group, lease_one(group, 1))

    produce(group, 1, partition=1)

    assert lease_one(group, 1).partition == 1


def test_behind_events_that_have_expired_comes_what_was_appended_since():
    group = make_lease_group()
    produce_kinds(group, *[{"expires_after": 0.001}] * MIN_SORTED_AT_ONCE)
    remember_ends(group)

    produce_kinds(group, {})

    assert offsets(lease(group, 1).deliveries) == [MIN_SORTED_AT_ONCE + 1]


def test_a_group_whose_events_are_sorted_goes_on_where_retention_has_left_some():
    group = make_lease_group(filter={"types": ["wanted"]})
    for _ in range(2):
        produce_kinds(group, *[WANTED] * 10)
    remember_ends(group)

    get_log().trim(info(group).partition(0), keep_events=10)

    leased = lease(group, 5)
    assert offsets(leased.deliveries) == [11, 12, 13, 14, 15]
    assert [(gap.first_offset, gap.last_offset) for gap in leased.gaps] == [(1, 10)]


def test_who_gets_nothing_though_another_of_the_same_moment_did_asks_as_well():
    group = make_lease_group(partitions=2, ordering="partition")
    produce(group, 10, partition=0)
    ack(group, lease_one(group, 1))
    produce(group, 10, partition=1)

    (first,), (second,) = (answer.deliveries for answer in lease_together(group, 1, 1))

    assert {first.partition, second.partition} == {0, 1}


def test_a_partition_that_was_at_its_end_has_its_turn_however_much_is_left_in_another():
    group = make_lease_group(partitions=2)
    produce(group, 1_000, partition=0)
    lease_one(group, 1)
    produce(group, 1, partition=1)
    time.sleep(1.0)

    # Which partition comes first is drawn each time.
    assert {lease_one(group, 1).partition for _ in range(30)} == {0, 1}
