"""Many consumers at once: no event is held by two, none is lost, none comes again after its ack."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction

from consumers.errors import DeadLetterNotOpen
from consumers.isolation import FailedEvent
from consumers.models import ConsumerGroup, DeadLetter, Delivery, Redrive
from consumers.services import shared_commits
from consumers.services.dead_letters.close import discard_dead_letter
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.groups import delete_group
from consumers.services.leasing import expire_leases, extend_leases, release_deliveries
from consumers.services.reconcile import reconcile_deliveries
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from consumers.statements import run
from streams.log import get_log
from streams.stored_event import place_of, type_of
from tests.consumers.leases import (
    ack,
    committed,
    dead,
    eventually,
    info,
    lease,
    lease_one,
    let_expire,
    make_lease_group,
    nack,
    offsets,
    produce,
    produce_kinds,
    refs,
    states,
)
from tests.threads import Work, at_once, outcomes_of, waits_for_a_lock

pytestmark = pytest.mark.usefixtures("db_with_commits")


# How often a race is run until it has gone every way.
MANY_TURNS = 100


def after(seconds: float, call: Callable[[], Any]) -> Any:
    """Give the others a head start."""
    time.sleep(seconds)
    return call()


class Ledger:
    """Who holds which event, as consumers see it: raises when two hold one, or when one comes again after its ack."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.held: set[tuple[int, int]] = set()
        self.acked: Counter[tuple[int, int]] = Counter()
        self.counts: dict[tuple[int, int], int] = {}
        self.takers: Counter[str] = Counter()

    def take(self, delivery, consumer: str) -> None:
        with self.lock:
            self.takers[consumer] += 1
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


@pytest.fixture(params=["one process", "a process each"])
def processes(request, monkeypatch):
    """Callers of one process share their commits; those of several meet at the database only."""
    if request.param == "a process each":
        own = threading.local()
        monkeypatch.setattr(shared_commits, "_lanes", OwnLanes(own))


class OwnLanes:
    """Lanes for each thread."""

    def __init__(self, own: threading.local) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        if not hasattr(self._own, "lanes"):
            self._own.lanes = shared_commits.Lanes()
        return getattr(self._own.lanes, name)


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("ordering", ["none", "partition"])
@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("is_filtered", [False, True], ids=["everything", "filtered"])
def test_every_event_is_acked_once_and_never_held_by_two(ordering, partitions, is_filtered):
    settings = {"filter": {"types": ["t"]}} if is_filtered else {}
    group = make_lease_group(
        partitions=partitions, ordering=ordering, max_failures=100, max_deliveries=1000, **settings
    )
    per_partition = 300
    for partition in range(partitions):
        if is_filtered:
            kinds = ["t", *("t" if random.random() < 0.6 else "other" for _ in range(per_partition - 1))]
            produce_kinds(group, *({"type": kind} for kind in kinds), partition=partition)
        else:
            produce(group, per_partition, partition=partition)
    events = [
        event
        for each in info(group).partitions
        for event in get_log().read(each, after=0, max_events=300, max_bytes=10**9).events
    ]
    wanted = {place_of(event) for event in events if type_of(event) == "t"}
    total = len(wanted)
    ledger = Ledger()
    deadline = time.monotonic() + 50

    def consume(seed: int) -> None:
        luck = random.Random(seed)
        while sum(ledger.acked.values()) < total:
            assert time.monotonic() < deadline, f"{sum(ledger.acked.values())} of {total} acked"
            # Until all have taken part, what is taken is much and is given back: much comes again whatever the luck.
            is_early = len(ledger.takers) < 4
            for delivery in lease(group, 100 if is_early else luck.randint(1, 40), consumer=f"c{seed}").deliveries:
                ledger.take(delivery, f"c{seed}")
                own = offsets([delivery])
                chance = 0.95 if is_early else luck.random()
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

    # All of them took part, and much came more than once.
    assert set(ledger.takers) == {"c0", "c1", "c2", "c3"}
    assert sum(count > 1 for count in ledger.counts.values()) > total // 20

    assert set(ledger.acked) == wanted
    assert set(ledger.acked.values()) == {1}
    assert states(group) == []
    assert [committed(group, partition) for partition in range(partitions)] == [per_partition] * partitions
    assert not DeadLetter.objects.exists()


@pytest.mark.usefixtures("processes")
def test_one_event_is_leased_by_one_of_many():
    group = make_lease_group()
    produce(group, 1)
    for _ in range(10):
        answers = at_once(*(lambda: lease(group, 1).deliveries for _ in range(4)))
        taken = [delivery for answer in answers for delivery in answer]
        assert len(taken) == 1
        release_deliveries(group=group, leases=refs(*taken))
        Delivery.objects.update(is_alone=False, delivery_count=1)


@pytest.mark.usefixtures("processes")
def test_in_an_ordered_group_one_partition_is_one_consumers():
    group = make_lease_group(ordering="partition")
    produce(group, 100)
    answers = at_once(*(lambda: lease(group, 10).deliveries for _ in range(4)))

    assert sorted(len(answer) for answer in answers) == [0, 0, 0, 1]


@pytest.mark.usefixtures("processes")
def test_max_in_flight_holds_when_all_ask_at_once():
    group = make_lease_group(max_in_flight=10, partitions=4)
    for partition in range(4):
        produce(group, 50, partition=partition)

    answers = at_once(*(lambda: lease(group, 7).deliveries for _ in range(6)))

    assert len([offset for answer in answers for offset in offsets(answer)]) == 10


def test_an_ack_and_the_reaper_meet_at_one_lease():
    group = make_lease_group()
    luck = random.Random(1)
    ways: Counter[str] = Counter()
    for turn in range(1, MANY_TURNS + 1):
        produce(group, 1)
        delivery = lease_one(group)
        let_expire(group)
        first, second = sorted((0.0, luck.uniform(-0.005, 0.005)))
        (said,), reaped = at_once(
            lambda delivery=delivery, pause=-first: after(pause, lambda: ack(group, delivery)),
            lambda pause=second: after(pause, lambda: expire_leases(group=group)),
        )

        assert (said, reaped) in {("acked", 0), ("lease_lost", 1)}
        ways[said] += 1
        if said == "lease_lost":
            assert (committed(group), states(group)) == (turn - 1, [(turn, turn, "waiting")])
            ack(group, lease_one(group))
        assert (committed(group), states(group)) == (turn, [])
        if turn >= 15 and min(ways["acked"], ways["lease_lost"]) >= 3:
            return
    pytest.fail(f"it did not go both ways: {ways}")


@pytest.mark.usefixtures("processes")
def test_the_same_lease_acked_nacked_released_and_extended_at_once_ends_one_way():
    group = make_lease_group()
    luck = random.Random(2)
    ways: Counter[str] = Counter()
    for turn in range(1, MANY_TURNS + 1):
        produce(group, 3)
        delivery = lease_one(group)
        verbs = {
            "ack": lambda delivery=delivery: ack(group, delivery)[0],
            "nack": lambda delivery=delivery: nack(group, delivery)[0],
            "release": lambda delivery=delivery: release_deliveries(group=group, leases=refs(delivery))[0].result.value,
            "ack again": lambda delivery=delivery: ack(group, delivery)[0],
            "extend": lambda delivery=delivery: extend_leases(group=group, leases=refs(delivery))[0].result.value,
        }
        order = luck.sample(list(verbs), len(verbs))
        said = dict(zip(order, at_once(*(verbs[verb] for verb in order)), strict=True))

        assert said.pop("extend") in {"extended", "lease_lost"}
        (end,) = set(said.values()) - {"lease_lost"}
        assert end in {"acked", "nacked", "released"}
        if end == "acked":
            # The same token twice is harmless, whoever comes second.
            assert said == {"ack": "acked", "ack again": "acked", "nack": "lease_lost", "release": "lease_lost"}
        else:
            assert list(said.values()).count(end) == 1
            (left,) = Delivery.objects.all()
            assert (left.state, left.lease_token, left.failure_count) == ("waiting", None, int(end == "nacked"))
            assert (left.first_offset, left.last_offset) == (3 * turn - 2, 3 * turn)
            ack(group, lease_one(group))
        assert (committed(group), states(group)) == (3 * turn, [])
        ways[end] += 1
        if turn >= 15 and len(ways) == 3:
            return
    pytest.fail(f"it did not go every way: {ways}")


@contextmanager
def met_at_the_partitions(group: ConsumerGroup, *calls: Callable[[], Any]) -> Iterator[list[Work]]:
    """Let the calls find what they want to take, and hold all of them up before they take it until the block ends."""
    with transaction.atomic():
        run("lock_offsets", group_id=group.pk, partition_ids=[each.id for each in info(group).partitions])
        works = [Work(call) for call in calls]
        eventually(lambda: waits_for_a_lock(count=len(works)))
        yield works


def test_reapers_in_a_crowd_take_each_lease_back_once():
    group = make_lease_group(max_in_flight=100_000)
    produce(group, 1000)
    for _ in range(100):
        lease(group, 10)
    let_expire(group)

    with met_at_the_partitions(group, *[lambda: expire_leases(group=group)] * 4) as reapers:
        assert Delivery.objects.filter(state="leased").count() == 100

    assert sorted(reaper.result() for reaper in reapers) == [0, 0, 0, 100]
    assert set(Delivery.objects.values_list("failure_count", flat=True)) == {1}
    covered = [n for first, last, _ in states(group) for n in range(first, last + 1)]
    assert covered == list(range(1, 1001))


def test_doubled_ticks_make_one_dead_letter_each(caplog):
    group = make_lease_group(partitions=2)
    for partition in range(2):
        produce(group, 200, partition=partition)
    for delivery in lease(group, 400).deliveries:
        nack(group, delivery, is_terminal=True)

    calls = [*[reconcile_deliveries] * 4, lambda: len(lease(group).deliveries)]
    with met_at_the_partitions(group, *calls) as works:
        assert not DeadLetter.objects.exists()
    *moved, leased = outcomes_of(works)

    # One of the ticks moved all of them, or the lease did.
    assert sorted(moved) in ([0, 0, 0, 400], [0, 0, 0, 0])
    assert leased == reconcile_deliveries() == 0
    # A tick that fails says so only there.
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    rows = DeadLetter.objects.values_list("partition_id", "offset", "round")
    assert len(rows) == len(set(rows)) == 400
    assert (states(group), committed(group, 0), committed(group, 1)) == ([], 200, 200)


def test_clicks_at_the_same_moment_are_one():
    luck = random.Random(3)
    ways: Counter[str] = Counter()
    for turn in range(1, MANY_TURNS + 1):
        group = make_lease_group()
        produce(group, 1)
        nack(group, lease_one(group), is_terminal=True)
        reconcile_deliveries()
        found = DeadLetter.objects.get(group=group)

        def click(verb, pk=found.pk):
            try:
                verb(dead_letter=DeadLetter.objects.get(pk=pk), requested_by="user:1")
            except DeadLetterNotOpen:
                return ""
            return verb.__name__

        verbs = luck.sample([redrive_dead_letter, redrive_dead_letter, discard_dead_letter, discard_dead_letter], 4)
        did = at_once(*(lambda verb=verb, click=click: click(verb) for verb in verbs))

        (way,) = [each for each in did if each]
        is_redriven = way == "redrive_dead_letter"
        assert Delivery.objects.filter(group=group).count() == is_redriven
        assert Redrive.objects.filter(dead_letter=found).count() == is_redriven
        assert DeadLetter.objects.get(pk=found.pk).status == ("redriven" if is_redriven else "discarded")
        ways[way] += 1
        if turn >= 10 and len(ways) == 2:
            return
    pytest.fail(f"it did not go both ways: {ways}")


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
            delete_group(group=group, confirm=group.name)

    with transaction.atomic():
        assert offsets(lease(group, 3).deliveries) == [1, 2, 3]
        interruption = Work(interrupt)
        eventually(waits_for_a_lock)
    interruption.result()

    assert not Delivery.objects.exists()


def test_a_cut_waits_for_whoever_holds_the_partition_if_there_is_nothing_else():
    group = make_lease_group()
    produce(group, 100)
    nack(group, lease_one(group, 100))
    with transaction.atomic():
        run("lock_offsets", group_id=group.pk, partition_ids=[info(group).partition(0).id])
        taker = Work(lambda: offsets(lease(group, 3).deliveries))
        eventually(waits_for_a_lock)
        assert taker.is_alive()
    assert taker.result() == [1, 2, 3]


@pytest.mark.usefixtures("processes")
def test_a_seek_in_the_middle_of_everything_leaves_nothing_behind():
    group = make_lease_group(max_failures=1_000, max_deliveries=10_000)
    produce(group, 200)
    stop = threading.Event()
    is_last = threading.Event()
    leased: Counter[int] = Counter()
    # What was acked after the last seek had begun need not come again.
    finished: set[int] = set()

    def consume(seed: int) -> None:
        luck = random.Random(seed)
        while not stop.is_set():
            for delivery in lease(group, 10).deliveries:
                leased[seed] += 1
                if luck.random() < 0.5:
                    if ack(group, delivery) == ["acked"] and is_last.is_set():
                        finished.update(offsets([delivery]))
                else:
                    nack(group, delivery, delay_seconds=0.0)

    def seek() -> None:
        luck = random.Random(7)
        for _ in range(20):
            target = SeekTarget(SeekTo.OFFSET, offset=luck.randint(0, 200))
            seek_group(stream=info(group), group=group, target=target)
        before = dict(leased)
        # All of them are at work between two seeks.
        eventually(lambda: all(leased[seed] > before.get(seed, 0) for seed in range(3)))
        is_last.set()
        seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.EARLIEST))
        stop.set()

    at_once(*(lambda seed=seed: consume(seed) for seed in range(3)), seek)

    seen: set[int] = set()
    let_expire(group)
    reconcile_deliveries()
    while deliveries := lease(group, 100).deliveries:
        seen |= set(offsets(deliveries))
        assert set(ack(group, *deliveries)) == {"acked"}
    # It stood at the beginning: each event came once more, unless it was finished since.
    assert seen | finished == set(range(1, 201))
    assert (committed(group), states(group), dead(group)) == (200, [], [])
