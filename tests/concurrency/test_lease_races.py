"""Many consumers at once: no event is held by two, none is lost, none comes again after its ack."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from consumers.errors import DeadLetterNotOpen
from consumers.isolation import FailedEvent
from consumers.models import DeadLetter, Delivery, Redrive
from consumers.services.dead_letters.close import discard_dead_letter
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.groups import delete_group
from consumers.services.leasing import expire_leases, extend_leases, release_deliveries
from consumers.services.reconcile import reconcile_deliveries
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from consumers.statements import run
from tests.consumers.leases import (
    ack,
    committed,
    info,
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

pytestmark = pytest.mark.usefixtures("db_with_commits")


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment, each in a thread with a connection of its own; the first error is raised."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            barrier.wait()
            results[index] = works[index]()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    return results


class Ledger:
    """Who holds which event, as consumers see it: raises when two hold one, or when one comes again after its ack."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.held: set[tuple[int, int]] = set()
        self.acked: Counter[tuple[int, int]] = Counter()
        self.counts: dict[tuple[int, int], int] = {}

    def take(self, delivery) -> None:
        with self.lock:
            for offset in offsets([delivery]):
                event = (delivery.partition, offset)
                assert event not in self.held, f"{event} is held twice"
                assert not self.acked[event], f"{event} came again after its ack"
                assert delivery.delivery_count > self.counts.get(event, 0), f"{event}: the count did not rise"
                self.counts[event] = delivery.delivery_count
                self.held.add(event)

    def let_go(self, delivery, *, failed=(), is_acked: bool) -> None:
        with self.lock:
            for offset in offsets([delivery]):
                self.held.discard((delivery.partition, offset))
                if is_acked and offset not in failed:
                    self.acked[delivery.partition, offset] += 1


@pytest.mark.parametrize("ordering", ["none", "partition"])
@pytest.mark.parametrize("partitions", [1, 3])
def test_every_event_is_acked_once_and_never_held_by_two(ordering, partitions):
    group = make_lease_group(partitions=partitions, ordering=ordering, max_failures=100, max_deliveries=1000)
    per_partition = 300
    for partition in range(partitions):
        produce(group, per_partition, partition=partition)
    total = per_partition * partitions
    ledger = Ledger()
    deadline = time.monotonic() + 60

    def consume(seed: int) -> None:
        luck = random.Random(seed)
        while sum(ledger.acked.values()) < total and time.monotonic() < deadline:
            for delivery in lease(group, luck.randint(1, 40), consumer=f"c{seed}").deliveries:
                ledger.take(delivery)
                own = offsets([delivery])
                chance = luck.random()
                # What is given up is let go in the ledger first: somebody else may have it the moment after.
                if chance < 0.6:
                    ledger.let_go(delivery, is_acked=True)
                    assert ack(group, delivery) == ["acked"]
                elif chance < 0.8:
                    failed = luck.sample(own, max(1, len(own) // 10))
                    ledger.let_go(delivery, failed=failed, is_acked=True)
                    assert ack(group, delivery, failed=[FailedEvent(each, "x", delay=0.0) for each in failed]) == [
                        "acked"
                    ]
                elif chance < 0.9:
                    ledger.let_go(delivery, is_acked=False)
                    assert nack(group, delivery, delay_seconds=0.0) == ["nacked"]
                else:
                    ledger.let_go(delivery, is_acked=False)
                    assert release_deliveries(group=group, leases=refs(delivery))[0].result == "released"

    at_once(*(lambda seed=seed: consume(seed) for seed in range(4)), *(reconcile_deliveries for _ in range(2)))

    assert len(ledger.acked) == total
    assert set(ledger.acked.values()) == {1}
    assert states(group) == []
    assert [committed(group, partition) for partition in range(partitions)] == [per_partition] * partitions
    assert not DeadLetter.objects.exists()


def test_one_event_is_leased_by_one_of_many():
    group = make_lease_group()
    produce(group, 1)
    for _ in range(10):
        answers = at_once(*(lambda: lease(group, 1).deliveries for _ in range(4)))
        taken = [delivery for answer in answers for delivery in answer]
        assert len(taken) == 1
        release_deliveries(group=group, leases=refs(*taken))
        Delivery.objects.update(is_alone=False, delivery_count=1)


def test_in_an_ordered_group_one_partition_is_one_consumers():
    group = make_lease_group(ordering="partition")
    produce(group, 100)
    answers = at_once(*(lambda: lease(group, 10).deliveries for _ in range(4)))

    assert sorted(len(answer) for answer in answers) == [0, 0, 0, 1]


def test_max_in_flight_holds_when_all_ask_at_once():
    group = make_lease_group(max_in_flight=10, partitions=4)
    for partition in range(4):
        produce(group, 50, partition=partition)

    answers = at_once(*(lambda: lease(group, 7).deliveries for _ in range(6)))

    assert len([offset for answer in answers for offset in offsets(answer)]) == 10


@pytest.mark.parametrize("turn", range(15))
def test_an_ack_and_the_reaper_meet_at_one_lease(turn):
    group = make_lease_group()
    produce(group, 1)
    delivery = lease_one(group)
    let_expire(group)
    (said,), reaped = at_once(lambda: ack(group, delivery), lambda: expire_leases(group=group))

    assert (said, reaped) in {("acked", 0), ("lease_lost", 1)}
    assert committed(group) == (1 if said == "acked" else 0)
    assert len(states(group)) == (0 if said == "acked" else 1)


@pytest.mark.parametrize("turn", range(15))
def test_the_same_lease_acked_nacked_released_and_extended_at_once_ends_one_way(turn):
    group = make_lease_group()
    produce(group, 3)
    delivery = lease_one(group)
    said = at_once(
        lambda: ack(group, delivery)[0],
        lambda: nack(group, delivery)[0],
        lambda: release_deliveries(group=group, leases=refs(delivery))[0].result.value,
        lambda: ack(group, delivery)[0],
        lambda: extend_leases(group=group, leases=refs(delivery))[0].result.value,
    )
    ends = set(said[:4]) - {"lease_lost"}
    assert len(ends) == 1
    assert committed(group) == (3 if ends == {"acked"} else 0)


def test_reapers_in_a_crowd_take_each_lease_back_once():
    group = make_lease_group(max_in_flight=100_000)
    produce(group, 1000)
    for _ in range(100):
        lease(group, 10)
    let_expire(group)

    counts = at_once(*(lambda: expire_leases(group=group) for _ in range(4)))

    assert sum(counts) == 100
    assert set(Delivery.objects.values_list("failure_count", flat=True)) == {1}
    covered = [n for first, last, _ in states(group) for n in range(first, last + 1)]
    assert covered == list(range(1, 1001))


def test_doubled_ticks_make_one_dead_letter_each():
    group = make_lease_group(partitions=2)
    for partition in range(2):
        produce(group, 200, partition=partition)
    for delivery in lease(group, 400).deliveries:
        nack(group, delivery, is_terminal=True)

    at_once(*(reconcile_deliveries for _ in range(4)), lambda: lease(group))

    reconcile_deliveries()
    rows = DeadLetter.objects.values_list("partition_id", "offset", "round")
    assert len(rows) == len(set(rows)) == 400
    assert (states(group), committed(group, 0), committed(group, 1)) == ([], 200, 200)


@pytest.mark.parametrize("turn", range(10))
def test_clicks_at_the_same_moment_are_one(turn):
    group = make_lease_group()
    produce(group, 1)
    nack(group, lease_one(group), is_terminal=True)
    reconcile_deliveries()
    found = DeadLetter.objects.get(group=group)

    def click(verb):
        try:
            verb(dead_letter=DeadLetter.objects.get(pk=found.pk), requested_by="user:1")
        except DeadLetterNotOpen:
            return False
        return True

    did = at_once(
        lambda: click(redrive_dead_letter),
        lambda: click(redrive_dead_letter),
        lambda: click(discard_dead_letter),
        lambda: click(discard_dead_letter),
    )
    assert sum(did) == 1
    assert Delivery.objects.filter(group=group).count() == Redrive.objects.filter(dead_letter=found).count() <= 1


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("what", ["seek", "delete"])
def test_a_range_that_is_being_cut_is_not_left_behind_in_part(what, alone):
    group = make_lease_group()
    produce(group, 100)
    nack(group, lease_one(group, 100))
    Delivery.objects.update(is_alone=alone)

    def interrupt() -> None:
        if what == "seek":
            seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.EARLIEST))
        else:
            delete_group(group=group)
        connection.close()

    interruption = threading.Thread(target=interrupt)
    with transaction.atomic():
        assert offsets(lease(group, 3).deliveries) == [1, 2, 3]
        interruption.start()
        interruption.join(0.5)
        assert interruption.is_alive()
    interruption.join(30)

    assert not Delivery.objects.exists()


def test_a_cut_waits_for_whoever_holds_the_partition_if_there_is_nothing_else():
    group = make_lease_group()
    produce(group, 100)
    nack(group, lease_one(group, 100))
    answers: list[list[int]] = []

    def take() -> None:
        answers.append(offsets(lease(group, 3).deliveries))
        connection.close()

    taker = threading.Thread(target=take)
    with transaction.atomic():
        run("lock_offsets", group_id=group.pk, partition_ids=[info(group).partition(0).id])
        taker.start()
        taker.join(0.5)
        assert answers == []
    taker.join(30)
    assert answers == [[1, 2, 3]]


def test_a_seek_in_the_middle_of_everything_leaves_nothing_behind():
    group = make_lease_group()
    produce(group, 200)
    stop = threading.Event()

    def consume(seed: int) -> None:
        luck = random.Random(seed)
        while not stop.is_set():
            for delivery in lease(group, 10).deliveries:
                if luck.random() < 0.5:
                    ack(group, delivery)
                else:
                    nack(group, delivery, delay_seconds=0.0)

    def seek() -> None:
        luck = random.Random(7)
        for _ in range(20):
            target = SeekTarget(SeekTo.OFFSET, offset=luck.randint(0, 200))
            seek_group(stream=info(group), group=group, target=target)
        seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.EARLIEST))
        stop.set()

    at_once(*(lambda seed=seed: consume(seed) for seed in range(3)), seek)

    seen: set[int] = set()
    while deliveries := lease(group, 100).deliveries:
        seen |= set(offsets(deliveries))
        ack(group, *deliveries)
    let_expire(group)
    reconcile_deliveries()
    while deliveries := lease(group, 100).deliveries:
        seen |= set(offsets(deliveries))
        ack(group, *deliveries)
    assert committed(group) == 200
    assert Delivery.objects.filter(dead_letter__isnull=True).count() == 0
