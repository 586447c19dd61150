"""`ordering: partition` keeps strict order: of each partition one delivery at a time, and always the next."""

import pytest

from consumers.services.leasing import expire_leases
from consumers.states import DeliveryState
from tests.consumers.leases import (
    ack,
    committed,
    dead,
    lease,
    lease_one,
    let_expire,
    make_due,
    make_lease_group,
    nack,
    offsets,
    produce,
    states,
)

pytestmark = pytest.mark.usefixtures("db_with_commits")


def make_ordered_group(**settings):
    return make_lease_group(ordering="partition", **settings)


def test_one_delivery_at_a_time_in_each_partition():
    group = make_ordered_group(partitions=2)
    produce(group, 10, partition=0)
    produce(group, 10, partition=1)

    first = lease_one(group, 4)
    second = lease_one(group, 4)
    assert {first.partition, second.partition} == {0, 1}
    assert lease(group, 4).deliveries == []
    ack(group, first)
    third = lease_one(group, 4)
    assert (third.partition, third.first_offset) == (first.partition, 5)


def test_one_answer_may_carry_one_delivery_of_each_partition():
    group = make_ordered_group(partitions=3)
    for partition in range(3):
        produce(group, 10, partition=partition)

    deliveries = lease(group, 100).deliveries

    assert sorted(delivery.partition for delivery in deliveries) == [0, 1, 2]
    assert len(offsets(deliveries)) == 30


def test_an_answer_from_several_partitions_never_has_more_events_than_asked_for():
    # Which partition comes first is drawn.
    for _ in range(10):
        group = make_ordered_group(partitions=2, max_in_flight=3)
        produce(group, 3, partition=0)
        nack(group, lease_one(group))
        produce(group, 1, partition=1)

        assert len(offsets(lease(group).deliveries)) == 3


def test_a_waiting_failure_blocks_its_partition_until_it_is_acked():
    group = make_ordered_group(backoff_seconds=(1000,))
    produce(group, 10)
    nack(group, lease_one(group, 4))

    assert lease(group).deliveries == []
    make_due(group)
    again = lease_one(group)
    assert offsets([again]) == [1, 2, 3, 4]
    assert lease(group).deliveries == []
    ack(group, again)
    assert offsets([lease_one(group)]) == [5, 6, 7, 8, 9, 10]


def test_a_failure_does_not_block_other_partitions():
    group = make_ordered_group(partitions=2, backoff_seconds=(1000,))
    produce(group, 4, partition=0)
    produce(group, 4, partition=1)
    first = lease_one(group, 4)
    nack(group, first)

    assert lease_one(group, 4).partition != first.partition


def test_pieces_of_a_split_come_one_by_one_in_their_order():
    group = make_ordered_group()
    produce(group, 10)
    lease(group, 9)
    let_expire(group)
    expire_leases(group=group)
    assert len(states(group)) > 1

    seen = []
    while deliveries := lease(group, 100).deliveries:
        assert len(deliveries) == 1
        assert lease(group, 100).deliveries == []
        seen += offsets(deliveries)
        ack(group, *deliveries)
    assert seen == list(range(1, 11))


def test_a_later_piece_that_is_due_waits_for_an_earlier_one_that_is_not():
    group = make_ordered_group(backoff_seconds=(1000,))
    produce(group, 10)
    delivery = lease_one(group, 10)
    ack(group, delivery, failed=[3, 7])
    make_due(group)
    nack(group, lease_one(group))

    assert states(group) == [(3, 3, DeliveryState.WAITING), (7, 7, DeliveryState.WAITING)]
    assert lease(group).deliveries == []


def test_a_dead_letter_lets_the_partition_go_on():
    group = make_ordered_group(max_failures=1)
    produce(group, 5)
    ack(group, lease_one(group, 3), failed=[2])

    assert offsets(lease(group).deliveries) == [4, 5]
    assert (dead(group), committed(group)) == ([(2, "max_failures")], 3)


def test_a_range_cut_for_a_small_lease_keeps_its_order():
    group = make_ordered_group()
    produce(group, 10)
    nack(group, lease_one(group, 8))

    seen = []
    while deliveries := lease(group, 3).deliveries:
        assert lease(group, 3).deliveries == []
        seen += offsets(deliveries)
        ack(group, *deliveries)
    assert seen == list(range(1, 11))
    assert committed(group) == 10
