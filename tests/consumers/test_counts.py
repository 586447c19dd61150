"""What a group's counts say since it began: events that it finished, that failed, and that it gave up on."""

from functools import partial

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from consumers.models import ConsumerGroup, DeadLetter, GroupOffset
from consumers.services.dead_letters.move import move_exhausted
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.dead_letters.report import report_dead_letter
from consumers.services.leasing import Ack, expire_leases, release_deliveries
from consumers.services.leasing.acks import commit_acks
from consumers.services.offsets import commit_offsets
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
    produce,
    refs,
)
from tests.factories import make_group, make_stream
from tests.run.instance import wait_for
from tests.threads import Work, at_once, waits_for_a_lock

pytestmark = pytest.mark.usefixtures("db_with_commits")

COUNTS = ("finished_count", "failed_count", "dead_letter_count")


def finished_failed_dead(group: ConsumerGroup) -> tuple[int, ...]:
    sums = GroupOffset.objects.filter(group=group).aggregate(**{name: Sum(name) for name in COUNTS})
    return tuple(sums[name] for name in COUNTS)


def commit(group: ConsumerGroup, offset: int) -> None:
    commit_offsets(stream=info(group), group=group, offsets={0: offset})


def seek(group: ConsumerGroup, offset: int) -> None:
    seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.OFFSET, offset=offset))


# --- offset mode ---


def test_what_is_committed_is_finished_once():
    group = make_group(make_stream())
    produce(group, 10)

    commit(group, 4)
    assert finished_failed_dead(group) == (4, 0, 0)
    commit(group, 4)
    commit(group, 2)
    assert finished_failed_dead(group) == (4, 0, 0)
    commit(group, 10)
    assert finished_failed_dead(group) == (10, 0, 0)


def test_a_seek_is_no_work_and_what_is_read_again_is():
    group = make_group(make_stream())
    produce(group, 10)

    seek(group, 6)
    assert finished_failed_dead(group) == (0, 0, 0)
    commit(group, 10)
    assert finished_failed_dead(group) == (4, 0, 0)
    seek(group, 0)
    assert finished_failed_dead(group) == (4, 0, 0)
    commit(group, 10)
    assert finished_failed_dead(group) == (14, 0, 0)


def test_what_retention_took_first_was_not_finished():
    group = make_group(make_stream())
    produce(group, 10)
    produce(group, 5)
    commit(group, 3)
    get_log().trim(info(group).partition(0), keep_events=5)

    commit(group, 15)

    assert finished_failed_dead(group) == (3 + 5, 0, 0)


def test_a_reported_event_is_given_up_once():
    group = make_group(make_stream())
    produce(group, 3)

    for _ in range(2):
        report_dead_letter(stream=info(group), group=group, partition=0, offset=2, error="broken", reporter="worker")

    assert finished_failed_dead(group) == (0, 0, 1)


# --- lease mode ---


def test_what_is_acked_is_finished_even_while_something_before_it_is_not():
    group = make_lease_group()
    produce(group, 10)
    first, second = lease_one(group, 4), lease_one(group, 6)

    ack(group, second)
    assert committed(group) == 0
    assert finished_failed_dead(group) == (6, 0, 0)
    # The same again is the same.
    ack(group, second)
    ack(group, first)
    assert committed(group) == 10
    assert finished_failed_dead(group) == (10, 0, 0)


def test_an_ack_that_names_failures_finishes_the_others():
    group = make_lease_group()
    produce(group, 10)

    ack(group, lease_one(group), failed=[3, 7])

    assert finished_failed_dead(group) == (8, 2, 0)


def test_an_ack_all_of_which_failed_finishes_nothing():
    group = make_lease_group()
    produce(group, 2)

    ack(group, lease_one(group), failed=[1, 2])

    assert finished_failed_dead(group) == (0, 2, 0)


def test_every_nack_and_expiry_is_a_failure_of_all_that_was_delivered():
    group = make_lease_group()
    produce(group, 3)

    nack(group, lease_one(group))
    assert finished_failed_dead(group) == (0, 3, 0)
    make_due(group)
    lease(group)
    let_expire(group)
    expire_leases(group=group)
    assert finished_failed_dead(group) == (0, 6, 0)


def test_what_is_released_did_not_fail():
    group = make_lease_group()
    produce(group, 3)

    release_deliveries(group=group, leases=refs(lease_one(group)))

    assert finished_failed_dead(group) == (0, 0, 0)


def test_an_event_that_is_given_up_again_counts_again_and_an_acked_redrive_is_finished():
    group = make_lease_group()
    produce(group, 1)

    def give_up() -> DeadLetter:
        nack(group, lease_one(group), is_terminal=True)
        move_exhausted(group=group)
        return DeadLetter.objects.latest("pk")

    redrive_dead_letter(dead_letter=give_up(), requested_by="user:1")
    assert finished_failed_dead(group) == (0, 1, 1)
    redrive_dead_letter(dead_letter=give_up(), requested_by="user:1")
    assert finished_failed_dead(group) == (0, 2, 2)
    ack(group, lease_one(group))
    assert finished_failed_dead(group) == (1, 2, 2)


def test_each_partition_and_each_group_counts_its_own():
    stream = make_stream(partitions=2)
    group, other = make_lease_group(stream=stream), make_lease_group(stream=stream)
    produce(group, 2, partition=0)
    produce(group, 3, partition=1)

    ack(group, *lease(group).deliveries)

    rows = GroupOffset.objects.filter(group=group).order_by("partition__number")
    assert list(rows.values_list("finished_count", flat=True)) == [2, 3]
    assert finished_failed_dead(other) == (0, 0, 0)


def test_acks_of_several_processes_at_once_are_all_counted():
    group = make_lease_group()
    produce(group, 120)
    deliveries = [lease_one(group, 10) for _ in range(12)]

    # Not through the calls that share a commit: each has a transaction of its own, and they wait for each other.
    at_once(*(partial(commit_acks, group, [[Ack(each.id, each.token)]]) for each in deliveries))

    assert committed(group) == 120
    assert finished_failed_dead(group) == (120, 0, 0)


def test_a_redrive_that_is_acked_while_a_seek_commits_is_finished_all_the_same():
    """The ack has seen the group before the seek, and gets its turn after it: it moves nothing, and counts."""
    group = make_lease_group()
    produce(group, 1)
    nack(group, lease_one(group, 1), is_terminal=True)
    move_exhausted(group=group)
    redrive_dead_letter(dead_letter=DeadLetter.objects.get(), requested_by="user:1")
    redriven = lease_one(group, 1)

    with transaction.atomic():
        # To behind the redriven event: what is handed out again would end its redrive.
        seek(group, 1)
        acking = Work(partial(commit_acks, group, [[Ack(redriven.id, redriven.token)]]))
        wait_for("the ack to wait for the seek", waits_for_a_lock)
    acking.result()

    assert committed(group) == 1
    assert finished_failed_dead(group) == (1, 1, 1)


def test_a_plain_ack_is_one_statement_still():
    group = make_lease_group()
    produce(group, 10)
    delivery = lease_one(group)

    with CaptureQueriesContext(connection) as captured:
        commit_acks(group, [[Ack(delivery.id, delivery.token)]])

    assert len(captured) == 1
    assert finished_failed_dead(group) == (10, 0, 0)
