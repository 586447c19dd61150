"""A group with a filter is given what it lets through; all else counts as finished."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consumers.conf import MAX_SORTED_AT_ONCE, SORTING_LOOKS
from consumers.models import ConsumerGroup, Delivery, GroupOffset
from consumers.progress_queries import lag_of
from consumers.services.leasing import expire_leases
from consumers.services.losses import count_all_losses
from streams.log import get_log
from tests.consumers.leases import (
    ack,
    committed,
    info,
    lease,
    lease_one,
    lease_together,
    let_expire,
    make_due,
    make_lease_group,
    nack,
    offsets,
    produce_kinds,
)

pytestmark = pytest.mark.usefixtures("db_with_commits")

WANTED, OTHER = {"type": "wanted"}, {"type": "other"}


def make_filtered_group(**settings) -> ConsumerGroup:
    return make_lease_group(filter={"types": ["wanted"]}, **settings)


def standing(group: ConsumerGroup) -> GroupOffset:
    return GroupOffset.objects.get(group=group)


def test_it_is_given_what_the_filter_lets_through_and_the_rest_is_finished():
    group = make_filtered_group()
    produce_kinds(group, OTHER, WANTED, WANTED, OTHER, WANTED, OTHER)

    leased = lease(group)

    assert offsets(leased.deliveries) == [2, 3, 5]
    # What nobody is given holds nothing back, and what is handed out does.
    assert (committed(group), standing(group).filtered_count, standing(group).finished_count) == (1, 3, 3)
    assert ack(group, *leased.deliveries) == ["acked", "acked"]
    assert (committed(group), standing(group).finished_count) == (6, 6)
    assert lag_of([standing(group)]) == 0


def test_what_nothing_is_wanted_of_is_finished_without_an_answer():
    group = make_filtered_group()
    produce_kinds(group, *[OTHER] * 30)

    assert lease(group).is_nothing

    assert (committed(group), Delivery.objects.count()) == (30, 0)


def test_one_wanted_event_is_found_behind_thousands_of_others():
    group = make_filtered_group()
    for _ in range(3):
        produce_kinds(group, *[OTHER] * 999)
    produce_kinds(group, WANTED)

    assert offsets(lease(group).deliveries) == [2998]


def test_it_is_found_for_the_second_of_two_that_ask_at_once_too():
    group = make_filtered_group()
    produce_kinds(group, WANTED)
    for _ in range(3):
        produce_kinds(group, *[OTHER] * 999)
    produce_kinds(group, WANTED)

    assert [offsets(answer.deliveries) for answer in lease_together(group, 1, 1)] == [[1], [2999]]


def test_a_lease_that_does_not_wait_looks_through_so_many_and_the_next_goes_on():
    group = make_filtered_group()
    looked_through = MAX_SORTED_AT_ONCE * SORTING_LOOKS
    for _ in range(looked_through // 1000):
        produce_kinds(group, *[OTHER] * 1000)
    produce_kinds(group, WANTED)

    assert lease(group).is_nothing
    assert committed(group) == looked_through
    assert offsets(lease(group).deliveries) == [looked_through + 1]


def test_a_lease_that_waits_goes_on_until_it_has_looked_at_everything():
    group = make_filtered_group()
    for _ in range(MAX_SORTED_AT_ONCE * SORTING_LOOKS // 1000 + 1):
        produce_kinds(group, *[OTHER] * 1000)
    produce_kinds(group, WANTED)

    assert len(lease(group, wait_seconds=20).deliveries) == 1


def test_it_takes_no_more_than_there_is_room_for():
    group = make_filtered_group()
    produce_kinds(group, *[WANTED, OTHER] * 5)

    assert offsets(lease(group, 2).deliveries) == [1, 3]
    assert offsets(lease(group, 2).deliveries) == [5, 7]
    assert offsets(lease(group).deliveries) == [9]


def test_what_failed_comes_again_and_is_not_asked_for_its_type_any_more():
    group = make_filtered_group()
    produce_kinds(group, OTHER, WANTED, OTHER)
    nack(group, *lease(group).deliveries)

    ConsumerGroup.objects.filter(pk=group.pk).update(filter={"types": ["other"]})
    again = lease(group)

    assert offsets(again.deliveries) == [2]
    ack(group, *again.deliveries)
    assert committed(group) == 3


@pytest.mark.parametrize("is_suspect", [False, True], ids=["failed", "under suspicion"])
def test_what_comes_again_is_handed_out_though_all_that_is_new_is_filtered_out(is_suspect):
    # Which of them has the room of a single event is drawn.
    for _ in range(10):
        group = make_filtered_group()
        produce_kinds(group, WANTED)
        delivery = lease_one(group)
        if is_suspect:
            Delivery.objects.filter(pk=delivery.id).update(is_alone=False)
            let_expire(group)
            expire_leases(group=group)
            make_due(group)
        else:
            nack(group, delivery)
        produce_kinds(group, *[OTHER] * 3)

        assert offsets(lease(group, 1).deliveries) == [1]


def test_in_an_order_so_is_what_goes_by_itself():
    # Which partition comes first is drawn.
    for _ in range(10):
        group = make_filtered_group(ordering="partition", partitions=2, max_failures=2)
        produce_kinds(group, WANTED)
        nack(group, lease_one(group))
        produce_kinds(group, *[OTHER] * 3, partition=1)

        assert [each.partition for each in lease(group).deliveries] == [0]


def test_a_group_that_keeps_the_order_gets_one_delivery_at_a_time():
    group = make_filtered_group(ordering="partition")
    produce_kinds(group, OTHER, WANTED, OTHER, WANTED, WANTED)

    first = lease(group)
    assert offsets(first.deliveries) == [2]
    assert lease(group).is_nothing
    ack(group, *first.deliveries)
    assert offsets(lease(group).deliveries) == [4, 5]


def test_who_waits_for_a_partition_that_the_order_holds_up_does_not_spin():
    group = make_filtered_group(ordering="partition")
    produce_kinds(group, *[WANTED] * 10)
    lease_one(group, 1)

    with CaptureQueriesContext(connection) as queries:
        assert lease(group, wait_seconds=1.5).is_nothing
    assert len(queries) < 100


def test_where_not_all_ready_partitions_can_be_read_at_once_those_that_were_are_handed_out(monkeypatch):
    monkeypatch.setattr("consumers.services.leasing.sorting.MAX_SORTED_AT_ONCE", 2)
    group = make_filtered_group(ordering="partition", partitions=20)
    for partition in range(20):
        produce_kinds(group, *[WANTED] * 2, partition=partition)

    assert [len(offsets(lease(group, 1).deliveries)) for _ in range(20)] == [1] * 20


def test_all_partitions_are_sorted():
    group = make_filtered_group(partitions=3)
    for partition in range(3):
        produce_kinds(group, OTHER, WANTED, partition=partition)

    leased = lease(group)

    assert sorted(each.partition for each in leased.deliveries) == [0, 1, 2]
    assert offsets(leased.deliveries) == [2, 2, 2]


def test_what_retention_took_is_lost_and_told():
    group = make_filtered_group()
    produce_kinds(group, *[OTHER] * 4)
    produce_kinds(group, OTHER, WANTED)
    get_log().trim(info(group).partition(0), keep_events=2)

    leased = lease(group)

    assert [(gap.first_offset, gap.last_offset) for gap in leased.gaps] == [(1, 4)]
    assert offsets(leased.deliveries) == [6]
    assert (leased.lost, standing(group).lost_count, standing(group).filtered_count) == (4, 4, 1)
    assert count_all_losses() == 0


def test_what_is_in_flight_keeps_to_its_limit():
    group = make_filtered_group(max_in_flight=2)
    produce_kinds(group, WANTED, OTHER, WANTED, WANTED)

    assert offsets(lease(group).deliveries) == [1, 3]
    assert lease(group).is_nothing
