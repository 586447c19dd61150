"""What several calls of a verb on one group say in one transaction is done as if they had come one after the other."""

from functools import partial

import pytest
from uuid_utils.compat import uuid7

from consumers.conf import LEASE_RECHECK_SECONDS
from consumers.errors import OffsetBeyondHead, OffsetNotInDelivery
from consumers.isolation import FailedEvent
from consumers.models import Delivery
from consumers.services.leasing import Ack, LeaseRef, Nack
from consumers.services.leasing.acks import commit_acks
from consumers.services.leasing.giving_back import commit_nacks, commit_releases
from consumers.services.leasing.outcomes import _commit_extensions, _Extension
from consumers.services.offsets import _commit
from streams.log import get_log
from tests.consumers.leases import (
    committed,
    info,
    lease,
    lease_one,
    lease_together,
    look_together,
    make_lease_group,
    nack,
    offsets,
    produce,
    states,
)
from tests.factories import make_group, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")


def told(answers):
    return [[(each.result.value, each.is_repeated) for each in answer] for answer in answers]


def test_new_events_are_dealt_out_in_order_of_arrival():
    group = make_lease_group()
    produce(group, 10)

    answers = lease_together(group, 3, 1, 4, 5)

    assert [offsets(answer.deliveries) for answer in answers] == [[1, 2, 3], [4], [5, 6, 7, 8], [9, 10]]
    assert len({delivery.token for answer in answers for delivery in answer.deliveries}) == 4
    assert list(Delivery.objects.order_by("first_offset").values_list("leased_by", "is_alone")) == [
        ("c0", False),
        ("c1", True),
        ("c2", False),
        ("c3", False),
    ]
    assert offsets(lease(group).deliveries) == []


def test_they_are_dealt_out_over_partitions_and_nobody_is_left_out_while_there_are_some():
    group = make_lease_group(partitions=12)
    for partition in range(12):
        produce(group, 2, partition=partition)

    answers = lease_together(group, *([3] * 10))

    taken = [(d.partition, n) for answer in answers for d in answer.deliveries for n in offsets([d])]
    assert [len(offsets(answer.deliveries)) for answer in answers[:5]] == [3] * 5
    assert len(taken) == len(set(taken)) == 24


def test_what_is_due_what_goes_by_itself_and_what_is_new_is_handed_out_once_and_the_suspect_alone():
    group = make_lease_group()
    produce(group, 12)
    nack(group, *(lease_one(group, 4) for _ in range(2)))
    Delivery.objects.filter(first_offset=1).update(is_alone=True)

    taken = []
    while len([offset for answer in taken for offset in answer]) < 12:
        taken += [offsets(answer.deliveries) for answer in lease_together(group, 100, 100, 100)]

    assert sorted(offset for answer in taken for offset in answer) == list(range(1, 13))
    assert [1, 2, 3, 4] in taken


def test_no_more_than_max_in_flight_is_handed_out_to_all_together():
    group = make_lease_group(max_in_flight=10)
    produce(group, 50)

    answers = lease_together(group, 4, 4, 4, 4)

    assert [len(offsets(answer.deliveries)) for answer in answers] == [4, 4, 2, 0]


@pytest.mark.parametrize("settings", [{"max_in_flight": 1}, {"ordering": "partition"}, {}], ids=str)
def test_who_got_nothing_beside_another_looks_again_as_soon_as_who_comes_later(settings):
    group = make_lease_group(**settings)
    produce(group, 2 if settings else 1)

    first, second = look_together(group, 1, 1)

    assert (offsets(first.found.deliveries), second.found.deliveries) == ([1], [])
    # What the first one has may be acked, or run out, and then it is the second one's turn.
    assert second.look_again_seconds <= look_together(group, 1)[0].look_again_seconds == LEASE_RECHECK_SECONDS


def test_in_an_ordered_group_each_partition_goes_to_one_of_them():
    group = make_lease_group(partitions=2, ordering="partition")
    for partition in range(2):
        produce(group, 10, partition=partition)

    answers = lease_together(group, 4, 4, 4)

    assert [[(d.first_offset, d.last_offset) for d in answer.deliveries] for answer in answers] == [
        [(1, 4)],
        [(1, 4)],
        [],
    ]
    assert answers[0].deliveries[0].partition != answers[1].deliveries[0].partition


def test_what_retention_took_is_told_once():
    group = make_lease_group()
    produce(group, 10)
    produce(group, 10)
    get_log().trim(info(group).partition(0), keep_events=10)

    answers = lease_together(group, 4, 4)

    assert [[(gap.first_offset, gap.last_offset) for gap in answer.gaps] for answer in answers] == [[(1, 10)], []]
    assert [offsets(answer.deliveries) for answer in answers] == [[11, 12, 13, 14], [15, 16, 17, 18]]


def test_each_answer_has_room_of_its_own_and_what_does_not_fit_was_never_delivered():
    group = make_lease_group()
    produce(group, 20, size=1_000_000)

    answers = lease_together(group, 10, 10)

    assert [offsets(answer.deliveries) for answer in answers] == [list(range(1, 9)), list(range(11, 19))]
    rest = lease(group, 10).deliveries
    assert sorted(offsets(rest)) == [9, 10, 19, 20]
    assert {delivery.delivery_count for delivery in rest} == {1}


def test_the_same_ack_twice_is_done_once_and_repeated_once():
    group = make_lease_group()
    produce(group, 4)
    one, two = lease_one(group, 2), lease_one(group, 2)

    answers = commit_acks(group, [[Ack(one.id, one.token)], [Ack(two.id, two.token), Ack(one.id, one.token)]])()

    assert told(answers) == [[("acked", False)], [("acked", False), ("acked", True)]]
    assert (states(group), committed(group)) == ([], 4)


def test_a_stale_token_is_lost_though_the_delivery_is_acked_beside_it():
    group = make_lease_group()
    produce(group, 2)
    delivery = lease_one(group)

    answers = commit_acks(group, [[Ack(delivery.id, uuid7())], [Ack(delivery.id, delivery.token)]])()

    assert told(answers) == [[("lease_lost", False)], [("acked", False)]]


def test_an_ack_that_names_an_event_of_somebody_else_is_refused_alone_and_changes_nothing():
    group = make_lease_group(backoff_seconds=(60,))
    produce(group, 9)
    one, two, three = (lease_one(group, 3) for _ in range(3))
    failed = [FailedEvent(5, "broken")]

    answers = commit_acks(
        group,
        [
            [Ack(one.id, one.token, [FailedEvent(7)]), Ack(three.id, three.token)],
            [Ack(two.id, two.token, failed)],
            [Ack(two.id, two.token, [FailedEvent(4)])],
            [Ack(two.id, two.token)],
        ],
    )()

    assert isinstance(answers[0], OffsetNotInDelivery)
    assert told(answers[1:]) == [[("acked", False)], [("acked", True)], [("acked", True)]]
    assert states(group) == [(1, 3, "leased"), (5, 5, "waiting"), (7, 9, "leased")]


@pytest.mark.parametrize(
    ("commit", "ref", "word"), [(commit_nacks, Nack, "nacked"), (commit_releases, LeaseRef, "released")]
)
def test_the_same_lease_given_back_by_two_is_given_back_once(commit, ref, word):
    group = make_lease_group(backoff_seconds=(60,))
    produce(group, 4)
    one, two = lease_one(group, 2), lease_one(group, 2)

    answers = commit(group, [[ref(one.id, one.token)], [ref(one.id, one.token), ref(two.id, two.token)]])()

    assert told(answers) == [[(word, False)], [(word, True), (word, False)]]
    assert states(group) == [(1, 2, "waiting"), (3, 4, "waiting")]
    assert set(Delivery.objects.values_list("failure_count", flat=True)) == {1 if word == "nacked" else 0}


def test_extensions_of_one_lease_give_it_the_longest():
    group = make_lease_group()
    produce(group, 2)
    delivery = lease_one(group, 2)
    ref = LeaseRef(delivery.id, delivery.token)

    (short,), (long,), (lost,) = _commit_extensions(
        group,
        [_Extension([ref], 600.0), _Extension([ref], 3600.0), _Extension([LeaseRef(delivery.id, uuid7())], 9000.0)],
    )()

    assert (short.result, long.result, lost.result) == ("extended", "extended", "lease_lost")
    assert short.expires_at == long.expires_at == Delivery.objects.get().lease_expires_at
    assert 3500 < (long.expires_at - Delivery.objects.get().leased_at).total_seconds() < 3700


def test_commits_are_answered_as_if_they_had_come_one_after_the_other():
    stream = make_stream(partitions=2)
    group = make_group(stream)
    for partition in range(2):
        produce(group, 10, partition=partition)
    first, second = info(group).partitions
    together = partial(_commit, group)

    answers = together([{first: 5}, {first: 7, second: 2}, {first: 5}, {second: 11}, {first: 7}])()

    refused = answers.pop(3)
    assert isinstance(refused, OffsetBeyondHead)
    assert [[(each.partition, each.committed_offset, each.outcome.value) for each in answer] for answer in answers] == [
        [(0, 5, "committed")],
        [(0, 7, "committed"), (1, 2, "committed")],
        [(0, 7, "outdated")],
        [(0, 7, "committed")],
    ]
    assert (committed(group, 0), committed(group, 1)) == (7, 2)
