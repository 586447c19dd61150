"""After a consumer died, what it held is done again in few answers, beside what is new, and the answers say so."""

import pytest
from django.db import transaction

from consumers.models import ConsumerGroup
from consumers.services.leasing import release_deliveries
from consumers.services.leasing.expiry import expire_leases
from tests.consumers.leases import (
    ack,
    committed,
    dead,
    lease,
    lease_one,
    let_expire,
    make_lease_group,
    nack,
    offsets,
    produce,
    refs,
    states,
)
from tests.threads import at_once

pytestmark = pytest.mark.usefixtures("db_with_commits")


def make_group_after_a_death(*, held: int = 176, new: int = 0, **settings):
    """A group with a consumer that died with so many events, of which the first look has been taken."""
    group = make_lease_group(**{"max_failures": 2, **settings})
    produce(group, held + new)
    lease(group, held, consumer="dies")
    let_expire(group)
    expire_leases(group=group)
    return group


def answers_until_nothing_is_left(group, *, max_events: int = 100) -> list[list[int]]:
    answers: list[list[int]] = []
    while True:
        deliveries = lease(group, max_events).deliveries
        if not deliveries:
            return answers
        answers.append(offsets(deliveries))
        ack(group, *deliveries)


@pytest.mark.parametrize("max_failures", [1, 2, 3, 5])
@pytest.mark.parametrize("ordering", ["none", "partition"])
def test_ten_answers_bring_176_events_again(max_failures, ordering):
    group = make_group_after_a_death(max_failures=max_failures, ordering=ordering)

    answers = answers_until_nothing_is_left(group)

    assert len(answers) <= 10
    assert sorted(offset for answer in answers for offset in answer) == list(range(1, 177))
    assert (states(group), committed(group), dead(group)) == ([], 176, [])


def test_each_answer_brings_new_events_too():
    group = make_group_after_a_death(new=2_000)

    answers = [offsets(lease(group, 100).deliveries) for _ in range(10)]

    assert sorted(offset for answer in answers for offset in answer if offset <= 176) == list(range(1, 177))
    assert all(sum(1 for offset in answer if offset > 176) >= 50 for answer in answers)
    assert all(len(answer) == 100 for answer in answers)


def test_and_what_failed_by_name_and_is_no_suspect():
    group = make_lease_group()
    produce(group, 200)
    lease(group, 100, consumer="dies")
    ack(group, lease_one(group, 100), failed=range(101, 151))
    let_expire(group)

    answers = [offsets(lease(group, 40).deliveries) for _ in range(3)]

    assert [sum(1 for offset in answer if offset <= 100) for answer in answers] == [20, 20, 20]
    assert [sum(1 for offset in answer if offset > 100) for answer in answers] == [20, 20, 10]


def test_an_answer_carries_one_suspected_piece_and_its_neighbours_go_to_others_who_ask():
    group = make_group_after_a_death(max_failures=5, held=100)
    answers: list[list[int]] = []

    def consume() -> None:
        answers.append(offsets(lease(group, 100).deliveries))

    at_once(*[consume] * 4)

    assert sorted(offset for answer in answers for offset in answer) == list(range(1, 101))
    assert [len(answer) for answer in answers] == [25] * 4


@pytest.mark.parametrize(("held", "max_failures"), [(176, 2), (5, 2)], ids=["ranges", "single events"])
def test_while_one_is_being_leased_another_gets_the_next(held, max_failures):
    group = make_group_after_a_death(held=held, max_failures=max_failures)
    others: list[list[int]] = []

    with transaction.atomic():
        ours = offsets(lease(group, 100).deliveries)
        at_once(lambda: others.append(offsets(lease(group, 100).deliveries)))

    most = -(-held // 10)
    # The last piece is smaller than the others, and may come to either of them.
    assert {len(ours), len(others[0])} <= {most, held % most or most}
    assert not set(others[0]) & set(ours)


def test_single_events_of_one_answer_go_several_at_a_time():
    group = make_lease_group(max_failures=3)
    produce(group, 100)
    ack(group, lease_one(group, 100), failed=range(1, 101))
    assert len(lease(group, 100).deliveries) == 100
    let_expire(group)

    assert [len(answer) for answer in answers_until_nothing_is_left(group)] == [10] * 10


def test_several_partitions_of_one_answer_come_again_in_as_few():
    group = make_lease_group(partitions=4, max_failures=2)
    for partition in range(4):
        produce(group, 50, partition=partition)
    lease(group, 200)
    let_expire(group)

    answers = answers_until_nothing_is_left(group, max_events=200)

    assert len(answers) <= 12
    assert sum(map(len, answers)) == 200


def test_what_crashed_again_is_handed_out_by_itself_and_found():
    group = make_group_after_a_death(held=10, new=50)
    crashes = 1
    while not dead(group):
        deliveries = lease(group, 20).deliveries
        if 7 not in offsets(deliveries):
            ack(group, *deliveries)
            continue
        crashes += 1
        assert crashes < 3 or offsets(deliveries) == [7]
        let_expire(group)

    assert (crashes, dead(group)) == (3, [(7, "max_failures")])
    answers_until_nothing_is_left(group)
    assert (committed(group), dead(group)) == (60, [(7, "max_failures")])


def test_in_an_ordered_group_the_suspects_come_first_and_in_order():
    group = make_group_after_a_death(ordering="partition", new=100)

    came = [offset for answer in answers_until_nothing_is_left(group) for offset in answer]

    assert came == list(range(1, 277))


def test_in_an_ordered_group_an_answer_carries_as_many_suspects_as_may_go_together():
    group = make_lease_group(partitions=2, ordering="partition", max_failures=2)
    for partition in range(2):
        produce(group, 50, partition=partition)
    lease(group, 100)
    let_expire(group)
    expire_leases(group=group)

    first = lease(group, 100).deliveries
    second = lease(group, 100).deliveries

    assert [[(each.first_offset, each.last_offset) for each in answer] for answer in (first, second)] == [[(1, 10)]] * 2
    assert first[0].partition != second[0].partition


def test_answers_say_how_many_are_under_suspicion_until_none_is():
    group = make_group_after_a_death(new=20)
    told = []
    for _ in range(12):
        leased = lease(group, 100)
        told.append((leased.is_isolating, leased.suspected))
        ack(group, *leased.deliveries)

    assert told[0] == (True, 176)
    assert told[9] in [(True, 18), (True, 14)], "the last piece is smaller than the others"
    assert told[10:] == [(False, 0)] * 2
    assert [count for _, count in told] == sorted((count for _, count in told), reverse=True)


def test_a_paused_group_says_so_too():
    group = make_group_after_a_death()
    ConsumerGroup.objects.filter(pk=group.pk).update(is_paused=True)

    leased = lease(group)

    assert (leased.deliveries, leased.is_isolating, leased.suspected) == ([], True, 176)


@pytest.mark.parametrize("max_failures", [1, 2, 5])
def test_a_consumer_that_releases_everything_leaves_nothing_under_suspicion(max_failures):
    group = make_lease_group(max_failures=max_failures, partitions=2)
    for partition in range(2):
        produce(group, 100, partition=partition)
    deliveries = lease(group, 200).deliveries

    release_deliveries(group=group, leases=refs(*deliveries))

    again = lease(group, 200)
    assert (again.is_isolating, again.suspected) == (False, 0)
    assert [(each.first_offset, each.last_offset) for each in again.deliveries] == [(1, 100), (1, 100)]


def test_nor_does_one_that_acks_a_part_and_releases_the_rest():
    group = make_lease_group(max_failures=2, partitions=2)
    for partition in range(2):
        produce(group, 100, partition=partition)
    done, rest = lease(group, 200).deliveries
    ack(group, done)

    release_deliveries(group=group, leases=refs(rest))

    again = lease(group, 200)
    assert (again.suspected, [each.partition for each in again.deliveries]) == (0, [rest.partition])
    assert len(offsets(again.deliveries)) == 100


def test_nor_does_one_that_nacks_or_names_what_it_could_not_do():
    group = make_lease_group()
    produce(group, 20)
    one, other = lease_one(group, 10), lease_one(group, 10)

    nack(group, one)
    ack(group, other, failed=[13])

    assert lease(group).suspected == 0


def test_what_is_under_suspicion_stays_so_when_it_is_released_and_is_cleared_when_it_is_acked():
    group = make_group_after_a_death(held=100)
    (piece,) = lease(group, 100).deliveries

    release_deliveries(group=group, leases=refs(piece))
    assert lease(group, 1).suspected == 100
    let_expire(group)
    answers_until_nothing_is_left(group)

    assert lease(group).suspected == 0
