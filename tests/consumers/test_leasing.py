"""Lease mode hands out each event to one member at a time, and forgets it once it is acked."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from consumers.errors import OffsetNotInDelivery, WrongMode
from consumers.isolation import FailedEvent
from consumers.models import ConsumerGroup, Delivery, DeliveryHistory, GroupOffset
from consumers.services.groups import change_group
from consumers.services.leasing import expire_leases, extend_leases, lease_deliveries, release_deliveries
from streams.log import get_log
from tests.consumers.leases import (
    ack,
    committed,
    dead,
    info,
    lease,
    lease_one,
    let_expire,
    make_due,
    make_lease_group,
    nack,
    offsets,
    produce,
    refs,
    states,
)
from tests.consumers.waiting import waiting
from tests.factories import make_group, make_stream
from tests.threads import Work

pytestmark = pytest.mark.usefixtures("db_with_commits")


# --- leasing and acking ---


def test_a_lease_hands_out_the_next_range_as_one_row():
    group = make_lease_group()
    produce(group, 10)

    delivery = lease_one(group, 6)

    assert (delivery.first_offset, delivery.last_offset, delivery.delivery_count) == (1, 6, 1)
    assert [orjson.loads(event)["payload"]["n"] for event in delivery.events] == [1, 2, 3, 4, 5, 6]
    assert states(group) == [(1, 6, "leased")]
    assert delivery.expires_at > datetime.now(UTC) + timedelta(seconds=group.ack_wait_seconds - 5)


def test_what_is_leased_is_not_handed_out_to_anybody_else():
    group = make_lease_group()
    produce(group, 10)

    first, second, third = lease(group, 6), lease(group, 6), lease(group, 6)

    assert offsets(first.deliveries) == [1, 2, 3, 4, 5, 6]
    assert offsets(second.deliveries) == [7, 8, 9, 10]
    assert third.deliveries == []


def test_groups_do_not_affect_each_other():
    group = make_lease_group()
    other = make_lease_group(stream=group.stream)
    produce(group, 3)

    assert offsets(lease(group).deliveries) == offsets(lease(other).deliveries) == [1, 2, 3]


def test_an_ack_ends_the_delivery_and_moves_the_committed_offset():
    group = make_lease_group()
    produce(group, 10)
    delivery = lease_one(group, 6)

    assert ack(group, delivery) == ["acked"]

    assert (states(group), committed(group)) == ([], 6)


def test_the_committed_offset_waits_for_the_earliest_unfinished_delivery():
    group = make_lease_group()
    produce(group, 9)
    first, second, third = (lease_one(group, 3) for _ in range(3))

    ack(group, second)
    assert committed(group) == 0
    ack(group, first)
    assert committed(group) == 6
    ack(group, third)
    assert committed(group) == 9


def test_acks_of_several_deliveries_in_one_request_move_it_once_and_all_the_way():
    group = make_lease_group(partitions=2)
    produce(group, 4, partition=0)
    produce(group, 4, partition=1)
    deliveries = lease(group, 3).deliveries + lease(group, 100).deliveries

    assert set(ack(group, *deliveries)) == {"acked"}
    assert (committed(group, 0), committed(group, 1)) == (4, 4)


def test_acking_the_same_token_twice_is_harmless():
    group = make_lease_group()
    produce(group, 5)
    delivery = lease_one(group, 3)

    assert ack(group, delivery) == ["acked"]
    assert ack(group, delivery) == ["acked"]
    assert ack(group, delivery, failed=[2]) == ["acked"]
    assert (states(group), committed(group)) == ([], 3)


def test_a_partial_ack_twice_is_harmless():
    group = make_lease_group(backoff_seconds=(60,))
    produce(group, 5)
    delivery = lease_one(group, 5)

    assert ack(group, delivery, failed=[2]) == ["acked"]
    assert ack(group, delivery, failed=[2]) == ["acked"]
    assert states(group) == [(2, 2, "waiting")]
    assert Delivery.objects.get().failure_count == 1


def test_a_stale_token_changes_nothing():
    group = make_lease_group()
    produce(group, 3)
    stale = lease_one(group)
    let_expire(group)
    expire_leases(group=group)
    lease(group)
    before = states(group)

    assert ack(group, stale) == ["lease_lost"]
    assert ack(group, stale, failed=[1]) == ["lease_lost"]
    assert nack(group, stale) == ["lease_lost"]
    assert extend_leases(group=group, leases=refs(stale))[0].result == "lease_lost"
    assert release_deliveries(group=group, leases=refs(stale))[0].result == "lease_lost"
    assert (states(group), committed(group)) == (before, 0)


def test_a_token_of_another_group_changes_nothing():
    group = make_lease_group()
    other = make_lease_group(stream=group.stream)
    produce(group, 3)
    delivery = lease_one(group)

    assert ack(other, delivery) == ["lease_lost"]
    ack(group, delivery)
    assert ack(other, delivery) == ["lease_lost"]


def test_acked_is_final():
    group = make_lease_group()
    produce(group, 3)
    delivery = lease_one(group)
    ack(group, delivery)

    assert nack(group, delivery) == ["lease_lost"]
    let_expire(group)
    expire_leases(group=group)
    assert lease(group).deliveries == []


def test_an_expired_lease_that_nobody_took_back_may_still_be_acked():
    group = make_lease_group()
    produce(group, 3)
    delivery = lease_one(group)
    let_expire(group)

    assert ack(group, delivery) == ["acked"]
    assert committed(group) == 3


# --- failing ---


def test_a_nacked_delivery_follows_the_backoff():
    group = make_lease_group(backoff_seconds=(100, 1000))
    produce(group, 3)

    for seconds in (100, 1000, 1000):
        delivery = lease_one(group)
        nack(group, delivery)
        waiting = Delivery.objects.get()
        assert waiting.last_error == "broken"
        assert 0.8 * seconds - 5 <= (waiting.available_at - datetime.now(UTC)).total_seconds() <= 1.2 * seconds
        assert lease(group).deliveries == []
        make_due(group)
    assert Delivery.objects.get().failure_count == 3


def test_a_nack_may_name_its_own_delay():
    group = make_lease_group(backoff_seconds=(1000,))
    produce(group, 3)
    nack(group, lease_one(group), delay_seconds=0.0)

    assert offsets([lease_one(group)]) == [1, 2, 3]


def test_nacking_the_same_token_twice_counts_once():
    group = make_lease_group(backoff_seconds=(60,))
    produce(group, 3)
    delivery = lease_one(group)

    assert nack(group, delivery) == ["nacked"]
    assert nack(group, delivery) == ["nacked"]
    assert Delivery.objects.get().failure_count == 1
    assert ack(group, delivery) == ["lease_lost"]


def test_delivery_count_rises_with_every_lease_and_failures_only_with_nacks():
    group = make_lease_group()
    produce(group, 1)
    counts = []
    for verb in ("nack", "release", "nack"):
        delivery = lease_one(group)
        counts.append((delivery.delivery_count, delivery.failure_count))
        if verb == "nack":
            nack(group, delivery)
        else:
            release_deliveries(group=group, leases=refs(delivery))

    assert counts == [(1, 0), (2, 1), (3, 1)]


def test_named_failures_become_deliveries_of_their_own_and_the_rest_is_finished():
    group = make_lease_group(backoff_seconds=(60,))
    produce(group, 10)
    delivery = lease_one(group)

    ack(group, delivery, failed=[3, FailedEvent(7, "other", delay=0.0)])

    assert states(group) == [(3, 3, "waiting"), (7, 7, "waiting")]
    assert committed(group) == 2
    again = lease_one(group)
    assert (offsets([again]), again.delivery_count, again.failure_count) == ([7], 2, 1)
    ack(group, again)
    make_due(group)
    ack(group, lease_one(group))
    assert committed(group) == 10


def test_a_failure_outside_of_its_delivery_refuses_the_whole_request():
    group = make_lease_group()
    produce(group, 10)
    one, two = lease_one(group, 5), lease_one(group, 5)

    with pytest.raises(OffsetNotInDelivery):
        ack(group, one, two, failed=[3])
    assert states(group) == [(1, 5, "leased"), (6, 10, "leased")]


def test_a_terminal_failure_exhausts_at_once():
    group = make_lease_group()
    produce(group, 3)
    ack(group, lease_one(group), failed=[FailedEvent(2, "hopeless", is_terminal=True)])

    assert lease(group).deliveries == []
    assert (dead(group), committed(group)) == ([(2, "terminal")], 3)


def test_failures_are_used_up_one_by_one_and_then_the_event_is_a_dead_letter():
    group = make_lease_group(max_failures=3)
    produce(group, 2)
    ack(group, lease_one(group), failed=[2])
    for count in (2, 3):
        delivery = lease_one(group)
        assert (delivery.delivery_count, delivery.failure_count) == (count, count - 1)
        nack(group, delivery)
    assert states(group) == [(2, 2, "exhausted")]

    # Celery is away: the lease that meets it makes the move.
    assert lease(group).deliveries == []
    assert (dead(group), states(group), committed(group)) == ([(2, "max_failures")], [], 2)


def test_releases_without_end_meet_the_delivery_cap():
    group = make_lease_group(max_deliveries=3)
    produce(group, 1)
    for _ in range(3):
        release_deliveries(group=group, leases=refs(lease_one(group)))

    assert lease(group).deliveries == []
    assert dead(group) == [(1, "delivery_cap")]


def test_only_what_did_not_go_smoothly_leaves_history():
    group = make_lease_group()
    produce(group, 6)
    ack(group, lease_one(group, 3))
    assert not DeliveryHistory.objects.exists()

    nack(group, lease_one(group, 3))
    ack(group, lease_one(group, 3))

    told = DeliveryHistory.objects.values_list("first_offset", "last_offset", "outcome", "consumer", "error")
    assert list(told) == [(4, 6, "nacked", "worker", "broken"), (4, 6, "acked", "worker", "")]


# --- time ---


def test_an_expired_lease_comes_back_in_pieces_after_its_backoff():
    group = make_lease_group(backoff_seconds=(60,))
    produce(group, 500)
    lease(group, 500)
    let_expire(group)

    assert lease(group).deliveries == []
    assert states(group) == [(n, n + 99, "waiting") for n in (1, 101, 201, 301, 401)]
    make_due(group)
    again = lease_one(group, 1000)
    assert (len(again.events), again.delivery_count, again.failure_count) == (100, 2, 1)


def test_a_lease_does_not_expire_before_its_ack_wait():
    group = make_lease_group(ack_wait_seconds=60)
    produce(group, 3)
    lease(group)

    assert expire_leases(group=group) == 0
    assert lease(group).deliveries == []


def test_the_answer_to_a_lost_lease_comes_again_after_the_ack_wait():
    group = make_lease_group()
    produce(group, 1)
    lease(group, 1, ack_wait_seconds=0.05)

    again = lease(group, 1, wait_seconds=5.0).deliveries[0]

    assert (offsets([again]), again.delivery_count) == ([1], 2)


def test_extending_keeps_the_lease():
    group = make_lease_group()
    produce(group, 3)
    delivery = lease_one(group, ack_wait_seconds=1.0)

    (result,) = extend_leases(group=group, leases=refs(delivery), ack_wait_seconds=600)

    assert result.result == "extended"
    assert result.expires_at > delivery.expires_at + timedelta(seconds=500)


def test_extending_never_takes_time_away():
    group = make_lease_group(ack_wait_seconds=30)
    produce(group, 1)
    delivery = lease_one(group, ack_wait_seconds=3600)

    (result,) = extend_leases(group=group, leases=refs(delivery))

    assert result.expires_at == delivery.expires_at


def test_a_released_delivery_is_available_at_once_and_unpunished():
    group = make_lease_group(backoff_seconds=(1000,))
    produce(group, 5)
    (result,) = release_deliveries(group=group, leases=refs(lease_one(group)))

    again = lease_one(group)
    assert result.result == "released"
    assert (offsets([again]), again.delivery_count, again.failure_count) == ([1, 2, 3, 4, 5], 2, 0)


# --- how much ---


def test_an_answer_never_has_more_events_than_asked_for():
    group = make_lease_group(partitions=3)
    for partition in range(3):
        produce(group, 50, partition=partition)

    assert len(offsets(lease(group, 120).deliveries)) == 120
    assert len(offsets(lease(group, 120).deliveries)) == 30


def test_a_waiting_range_that_is_longer_than_asked_for_is_cut():
    group = make_lease_group()
    produce(group, 10)
    nack(group, lease_one(group, 10))

    first = lease_one(group, 4)
    assert (offsets([first]), first.delivery_count) == ([1, 2, 3, 4], 2)
    rest = lease_one(group, 10)
    assert (offsets([rest]), rest.delivery_count) == ([5, 6, 7, 8, 9, 10], 2)
    ack(group, first, rest)
    assert committed(group) == 10


def test_what_does_not_fit_into_the_answer_was_never_delivered():
    group = make_lease_group()
    produce(group, 12, size=1_000_000)

    first = lease_one(group, 12)
    assert offsets([first]) == list(range(1, 9))
    second = lease_one(group, 12)
    assert (offsets([second]), second.delivery_count) == ([9, 10, 11, 12], 1)
    ack(group, second, first)
    assert committed(group) == 12


def test_no_more_than_max_in_flight_is_handed_out():
    group = make_lease_group(max_in_flight=10)
    produce(group, 50)

    first = lease_one(group, 8)
    assert offsets([lease_one(group, 8)]) == [9, 10]
    assert lease(group, 8).deliveries == []
    ack(group, first)
    assert len(offsets(lease(group, 100).deliveries)) == 8


def test_a_paused_group_hands_out_nothing_but_takes_acks():
    group = make_lease_group()
    produce(group, 5)
    delivery = lease_one(group, 3)
    ConsumerGroup.objects.filter(pk=group.pk).update(is_paused=True)

    assert lease(group).deliveries == []
    assert ack(group, delivery) == ["acked"]


def test_lease_verbs_are_refused_on_an_offset_mode_group():
    group = make_group(make_stream())

    with pytest.raises(WrongMode):
        lease(group)
    with pytest.raises(WrongMode):
        ack(group)


def test_queries_and_rows_do_not_grow_with_the_size():
    group = make_lease_group(max_in_flight=100_000)
    produce(group, 3000)
    ack(group, lease_one(group, 1))

    def cost(size):
        fresh = ConsumerGroup.objects.select_related("stream").get(pk=group.pk)
        stream = info(group)
        with CaptureQueriesContext(connection) as leasing:
            delivery = _lease(stream, fresh, size)
        rows = Delivery.objects.count()
        with CaptureQueriesContext(connection) as acking:
            ack(fresh, delivery)
        return len(leasing), rows, len(acking)

    assert cost(1) == cost(1000) == (3, 1, 1)


def _lease(stream, group, size):
    (delivery,) = lease_deliveries(stream=stream, group=group, consumer="w", max_events=size).deliveries
    return delivery


# --- retention ---


def test_what_retention_took_before_it_was_leased_is_skipped_and_told():
    group = make_lease_group()
    produce(group, 10)
    produce(group, 10)
    get_log().trim(info(group).partition(0), keep_events=10)

    leased = lease(group, 5)

    assert [(gap.first_offset, gap.last_offset) for gap in leased.gaps] == [(1, 10)]
    assert offsets(leased.deliveries) == [11, 12, 13, 14, 15]
    assert committed(group) == 10
    assert list(DeliveryHistory.objects.values_list("first_offset", "last_offset", "outcome")) == [(1, 10, "lost")]


def test_when_retention_took_everything_the_group_stands_at_the_head():
    group = make_lease_group()
    produce(group, 10)
    get_log().trim(info(group).partition(0), recorded_before=datetime.now(UTC) + timedelta(days=1))

    leased = lease(group)

    assert (leased.deliveries, committed(group)) == ([], 10)
    assert [(gap.first_offset, gap.last_offset) for gap in leased.gaps] == [(1, 10)]


def test_what_retention_took_while_it_was_waiting_is_told_when_its_time_comes():
    group = make_lease_group(backoff_seconds=(60,))
    produce(group, 10)
    produce(group, 10)
    nack(group, lease_one(group, 15))
    get_log().trim(info(group).partition(0), keep_events=10)
    make_due(group)

    leased = lease(group, 100)

    assert [(gap.first_offset, gap.last_offset) for gap in leased.gaps] == [(1, 10)]
    assert offsets(leased.deliveries) == [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    assert committed(group) == 10


def test_a_waiting_delivery_that_retention_took_whole_ends_as_lost():
    group = make_lease_group()
    produce(group, 10)
    produce(group, 10)
    nack(group, lease_one(group, 10))
    get_log().trim(info(group).partition(0), keep_events=10)

    assert offsets(lease(group, 100).deliveries) == [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    assert committed(group) == 10
    assert DeliveryHistory.objects.filter(outcome="lost", first_offset=1, last_offset=10).exists()


# --- waiting ---


def wait_for_a_lease(group: ConsumerGroup) -> Work:
    """Let another consumer wait for something to be leased."""
    return waiting(lambda: offsets(lease(group, wait_seconds=20.0).deliveries))[0]


def test_a_lease_that_waits_is_answered_by_an_append():
    group = make_lease_group()
    consumer = wait_for_a_lease(group)

    produce(group, 2)

    assert consumer.result(10) == [1, 2]


def test_a_lease_that_waits_is_answered_when_a_retry_is_due():
    group = make_lease_group()
    produce(group, 2)
    nack(group, lease_one(group), delay_seconds=1.5)

    assert wait_for_a_lease(group).result(10) == [1, 2]


def test_a_lease_that_waits_is_answered_by_a_release():
    group = make_lease_group()
    produce(group, 2)
    delivery = lease_one(group)
    consumer = wait_for_a_lease(group)

    release_deliveries(group=group, leases=refs(delivery))

    assert consumer.result(10) == [1, 2]


def test_a_lease_that_waits_in_vain_answers_with_nothing():
    assert lease(make_lease_group(), wait_seconds=0.2).deliveries == []


@pytest.mark.parametrize("held_up_by", ["a pause", "the limit", "the order"])
def test_a_lease_that_waits_for_what_is_overdue_but_held_up_does_not_spin(held_up_by):
    group = make_lease_group(ordering="partition" if held_up_by == "the order" else "none")
    produce(group, 3)
    if held_up_by == "the order":
        ack(group, lease_one(group), failed=[FailedEvent(1, delay=3600.0), FailedEvent(2, delay=0.0)])
    else:
        failed, _ = lease_one(group, 1), lease_one(group, 2)
        nack(group, failed, delay_seconds=0.0)
        change_group(group=group, changes={"is_paused": True} if held_up_by == "a pause" else {"max_in_flight": 1})

    with CaptureQueriesContext(connection) as queries:
        assert lease(group, wait_seconds=1.5).deliveries == []
    assert len(queries) < 30


def test_the_database_refuses_a_second_delivery_of_the_same_event():
    group = make_lease_group()
    produce(group, 3)
    lease(group)
    row = Delivery.objects.get()
    row.pk = None
    with pytest.raises(IntegrityError, match="delivery_of_an_event_unique_in_group"), transaction.atomic():
        row.save(force_insert=True)
    assert GroupOffset.objects.get(group=group).dispatched_offset == 3
