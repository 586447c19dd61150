"""What retention took before a group had finished it is counted, once, until somebody acknowledges it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from consumers.errors import MoreThanLost
from consumers.group_standings import list_standings
from consumers.models import ConsumerGroup, GroupOffset
from consumers.progress_queries import list_losses
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.losses import acknowledge_loss, count_all_losses
from consumers.services.offsets import commit_offsets
from consumers.services.reconcile import reconcile_deliveries, tidy_up
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from streams.log import get_log
from tests.consumers.leases import (
    ack,
    committed,
    info,
    lease,
    lease_one,
    let_expire,
    make_due,
    make_lease_group,
    nack,
    offsets,
    produce,
)
from tests.factories import make_dead_letter, make_group, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")


def standing(group):
    (found,) = list_standings(ConsumerGroup.objects.filter(pk=group.pk), now=timezone.now())
    return found


def lag_and_lost(group):
    return standing(group).lag, standing(group).lost


def take(group, *, keep, partition=0):
    get_log().trim(info(group).partition(partition), keep_events=keep)


def commit(group, offset, partition=0):
    (result,) = commit_offsets(stream=info(group), group=group, offsets={partition: offset})
    return result.committed_offset


def acknowledge(group, lost_total):
    done = acknowledge_loss(stream=info(group), group=group, lost_total=lost_total)
    return done.acknowledged, done.lost


def seek(group, to, offset=0):
    seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo(to), offset=offset))


@pytest.fixture(params=["offset", "lease"])
def group(request):
    """A group of each mode, a hundred unread events behind five hundred."""
    group = make_group(make_stream(), mode=request.param)
    for _ in range(6):
        produce(group, 100)
    return group


# --- lag and lost, in both modes ---


def test_after_600_appended_and_100_kept_the_lag_is_100_and_500_are_lost(group):
    assert lag_and_lost(group) == (600, 0)
    take(group, keep=100)
    assert lag_and_lost(group) == (100, 500)


def test_a_tick_counts_it_once_and_says_when(group):
    take(group, keep=100)
    assert [each.counted_at for each in list_losses(group)] == [None]

    tidy_up()
    assert (count_all_losses(), lag_and_lost(group)) == (0, (100, 500))
    (loss,) = list_losses(group)
    assert (loss.event_count, loss.first_offset, loss.last_offset) == (500, 1, 500)
    assert timezone.now() - loss.counted_at < timedelta(minutes=1)


@pytest.mark.parametrize("is_counted_before", [False, True])
def test_it_stays_lost_when_the_group_has_passed_it(group, is_counted_before):
    take(group, keep=100)
    if is_counted_before:
        count_all_losses()

    if group.mode == "lease":
        ack(group, lease_one(group, 100))
    else:
        commit(group, 600)

    assert (committed(group), lag_and_lost(group)) == (600, (0, 500))
    assert (count_all_losses(), standing(group).lost_total) == (0, 500)


def test_losses_one_after_the_other_add_up(group):
    take(group, keep=400)
    count_all_losses()
    take(group, keep=200)
    assert lag_and_lost(group) == (200, 400)
    count_all_losses()
    take(group, keep=100)
    assert lag_and_lost(group) == (100, 500)
    (loss,) = list_losses(group)
    assert (loss.event_count, loss.first_offset, loss.last_offset) == (500, 1, 500)


def test_what_the_group_has_finished_is_not_lost():
    group = make_group(make_stream())
    for _ in range(6):
        produce(group, 100)
    commit(group, 450)
    take(group, keep=100)
    assert lag_and_lost(group) == (100, 50)
    commit(group, 600)
    assert lag_and_lost(group) == (0, 50)


def test_a_new_group_has_lost_nothing_of_what_went_before_it_began(group):
    take(group, keep=100)
    late = make_group(group.stream, mode=group.mode)
    count_all_losses()
    assert lag_and_lost(late) == (100, 0)


def test_the_partitions_add_up_and_each_has_its_own():
    group = make_group(make_stream(partitions=2))
    for partition in (0, 1):
        produce(group, 10, partition=partition)
        produce(group, 10, partition=partition)
    take(group, keep=10, partition=1)
    assert lag_and_lost(group) == (30, 10)
    assert [(each.partition.number, each.lost) for each in standing(group).partitions] == [(0, 0), (1, 10)]
    assert [(each.partition, each.first_offset, each.last_offset) for each in list_losses(group)] == [(1, 1, 10)]


# --- offset mode: one commit passes all that is lost, or none ---


def test_a_commit_over_several_partitions_counts_the_loss_of_each():
    group = make_group(make_stream(partitions=2))
    for partition in (0, 1):
        produce(group, 10, partition=partition)
        produce(group, 10, partition=partition)
    take(group, keep=10, partition=1)
    commit_offsets(stream=info(group), group=group, offsets={0: 5, 1: 20})
    assert (committed(group, 0), committed(group, 1)) == (5, 20)
    assert lag_and_lost(group) == (15, 10)


def test_an_ordinary_commit_takes_no_more_statements_than_the_ends_and_itself():
    group = make_group(make_stream())
    produce(group, 10)
    with CaptureQueriesContext(connection) as queries:
        commit(group, 5)
    assert len([each for each in queries if "GREATEST" in each["sql"].upper()]) == 1
    assert not [each for each in queries if "lost_last_offset" in each["sql"]]


# --- lease mode ---


def produce_twice(**settings):
    group = make_lease_group(**settings)
    produce(group, 10)
    produce(group, 10)
    return group


def test_what_is_in_flight_when_it_is_taken_and_acked_afterwards_is_not_lost():
    group = produce_twice()
    delivery = lease_one(group, 10)
    take(group, keep=10)
    count_all_losses()
    assert lag_and_lost(group) == (10, 0)
    ack(group, delivery)
    assert lag_and_lost(group) == (10, 0)


@pytest.mark.parametrize("end", ["nack", "expiry"])
def test_what_is_in_flight_when_it_is_taken_and_fails_is_lost_when_its_time_comes(end):
    group = produce_twice()
    delivery = lease_one(group, 10)
    take(group, keep=10)
    if end == "nack":
        nack(group, delivery)
    else:
        let_expire(group)
        reconcile_deliveries()
    make_due(group)
    # After an expiry it comes in pieces.
    leased = [lease(group, 100) for _ in range(20)]
    assert sum(gap.last_offset - gap.first_offset + 1 for each in leased for gap in each.gaps) == 10
    assert leased[-1].lost == 10
    assert lag_and_lost(group) == (10, 10)


def test_of_a_waiting_delivery_only_what_is_gone_is_lost():
    group = produce_twice()
    nack(group, lease_one(group, 15))
    take(group, keep=10)
    make_due(group)
    lease(group, 100)
    assert lag_and_lost(group) == (10, 10)
    (loss,) = list_losses(group)
    assert (loss.first_offset, loss.last_offset) == (1, 10)


def test_what_others_acked_out_of_turn_is_not_lost():
    group = produce_twice()
    first, second = lease_one(group, 3), lease_one(group, 7)
    ack(group, second)
    nack(group, first)
    take(group, keep=10)
    make_due(group)
    lease(group, 100)
    assert lag_and_lost(group) == (10, 3)


def test_a_dead_letter_without_a_copy_is_a_loss_and_one_with_a_copy_is_none():
    group = produce_twice(max_failures=1)
    nack(group, lease_one(group, 1))
    reconcile_deliveries()
    delivery = lease_one(group, 1)
    take(group, keep=10)
    nack(group, delivery)
    reconcile_deliveries()
    count_all_losses()
    # The second, and the eight that were never handed out.
    assert lag_and_lost(group) == (10, 9)


def test_a_redrive_is_no_loss():
    group = produce_twice(max_failures=1)
    letter = make_dead_letter(group, 1)
    ack(group, lease_one(group, 10))
    take(group, keep=10)
    redrive_dead_letter(dead_letter=letter, requested_by="somebody")
    for each in lease(group, 100).deliveries:
        ack(group, each)
    assert lag_and_lost(group) == (0, 0)


def test_of_leases_with_ends_that_are_remembered_nothing_is_counted_twice():
    group = produce_twice()
    # From now on this process remembers the ends.
    ack(group, lease_one(group, 1))
    take(group, keep=10)
    count_all_losses()
    leased = lease(group, 5)
    assert offsets(leased.deliveries) == [11, 12, 13, 14, 15]
    assert [(gap.first_offset, gap.last_offset) for gap in leased.gaps] == [(2, 10)]
    assert lag_and_lost(group) == (10, 9)


def test_a_lease_says_what_was_lost_until_it_is_acknowledged():
    group = produce_twice()
    take(group, keep=10)
    assert lease(group, 5).lost == 10
    acknowledge(group, 10)
    assert lease(group, 5).lost == 0


def test_a_paused_group_says_what_it_has_lost():
    group = produce_twice(is_paused=True)
    take(group, keep=10)
    count_all_losses()
    assert lease(group).lost == 10


def test_when_all_is_gone_all_is_lost():
    group = produce_twice()
    get_log().trim(info(group).partition(0), recorded_before=datetime.now(UTC) + timedelta(days=1))
    assert lag_and_lost(group) == (0, 20)
    lease(group)
    assert (committed(group), lag_and_lost(group)) == (20, (0, 20))


# --- seek ---


@pytest.mark.parametrize("to", ["earliest", "latest"])
def test_a_seek_keeps_what_is_lost_and_adds_nothing(group, to):
    take(group, keep=100)
    seek(group, to)
    assert standing(group).lost == 500
    seek(group, "earliest")
    seek(group, "latest")
    assert (count_all_losses(), lag_and_lost(group)) == (0, (0, 500))


def test_what_a_seek_passes_by_is_not_lost_when_it_goes(group):
    seek(group, "latest")
    take(group, keep=100)
    count_all_losses()
    assert lag_and_lost(group) == (0, 0)


def test_what_was_sought_back_to_is_unfinished_again_and_may_be_lost(group):
    seek(group, "latest")
    seek(group, "earliest")
    assert lag_and_lost(group) == (600, 0)
    take(group, keep=100)
    assert lag_and_lost(group) == (100, 500)


def test_a_seek_counts_what_waited_and_is_gone():
    group = produce_twice()
    nack(group, lease_one(group, 12))
    take(group, keep=10)
    seek(group, "latest")
    assert lag_and_lost(group) == (0, 10)


# --- acknowledging ---


def test_an_acknowledged_loss_is_shown_no_more_and_a_new_one_is(group):
    take(group, keep=200)
    assert acknowledge(group, 400) == (400, 0)
    assert (lag_and_lost(group), list_losses(group)) == ((200, 0), [])
    take(group, keep=100)
    assert lag_and_lost(group) == (100, 100)
    (loss,) = list_losses(group)
    assert (loss.event_count, loss.first_offset, loss.last_offset) == (100, 401, 500)


def test_what_was_lost_since_it_was_seen_is_not_acknowledged_and_a_second_click_does_nothing(group):
    take(group, keep=200)
    count_all_losses()
    take(group, keep=100)
    assert acknowledge(group, 400) == (400, 100)
    assert acknowledge(group, 400) == (0, 100)
    assert lag_and_lost(group) == (100, 100)


def test_an_acknowledgment_of_more_than_there_is_changes_nothing(group):
    take(group, keep=200)
    with pytest.raises(MoreThanLost, match="400 events so far, not 401"):
        acknowledge(group, 401)
    assert lag_and_lost(group) == (200, 400)


def test_of_several_partitions_what_was_lost_first_is_acknowledged_first():
    group = make_group(make_stream(partitions=2))
    for partition in (0, 1):
        produce(group, 10, partition=partition)
        produce(group, 10, partition=partition)
    take(group, keep=10, partition=1)
    count_all_losses()
    take(group, keep=10, partition=0)
    assert acknowledge(group, 10) == (10, 10)
    assert [each.partition for each in list_losses(group)] == [0]


def test_what_was_acknowledged_before_it_was_passed_stays_so(group):
    take(group, keep=100)
    acknowledge(group, 500)
    if group.mode == "lease":
        ack(group, lease_one(group, 100))
    else:
        commit(group, 600)
    assert lag_and_lost(group) == (0, 0)
    assert GroupOffset.objects.get(group=group).lost_count == 500
