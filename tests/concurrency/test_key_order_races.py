"""Many consumers at once of a group that keeps the order of keys: of a key one event at a time, in order, and none stuck."""

import random
import signal
import threading
import time
from collections import defaultdict
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
import pytest
from django.db import connection

from consumers.models import DeadLetter, Delivery, GroupOffset
from consumers.services import shared_commits
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.leasing import LeasedDelivery, release_deliveries
from consumers.services.reconcile import reconcile_deliveries
from tests.consumers.leases import ack, committed, lease, make_lease_group, nack, produce_kinds, refs, states
from tests.consumers.processes import start
from tests.threads import at_once

pytestmark = [
    pytest.mark.slow("races until every event is acked"),
    pytest.mark.usefixtures("db_with_commits"),
]
KEYS = [f"key-{n}" for n in range(12)]
PER_KEY = 15


class Place(NamedTuple):
    """A key in a partition: the order is kept within."""

    partition: int
    key: str


class TurnsLedger:
    """What each consumer says to have and to have given, held against the order of each key."""

    def __init__(self, waiting: dict[Place, list[int]]) -> None:
        self.lock = threading.Lock()
        # Of each key, the events that are neither acked nor dead, in order.
        self.waiting = waiting
        self.held: set[Place] = set()
        self.redriven = 0

    @property
    def left(self) -> int:
        return sum(map(len, self.waiting.values()))

    def take(self, delivery: LeasedDelivery) -> Place:
        (event,) = map(orjson.loads, delivery.events)
        place = Place(delivery.partition, event["key"])
        with self.lock:
            assert place not in self.held, f"two events of {place} are in somebody's hands"
            self.held.add(place)
            if delivery.dead_letter_id is None:
                assert self.waiting[place][0] == event["offset"], f"{place}: not the next one"
        return place

    def give(self, place: Place, delivery: LeasedDelivery, *, is_finished: bool) -> None:
        with self.lock:
            self.held.discard(place)
            if delivery.dead_letter_id is not None:
                self.redriven += is_finished
            elif is_finished:
                self.waiting[place].pop(0)


def fill(group: Any, partitions: int) -> dict[Place, list[int]]:
    luck = random.Random(5)
    waiting: dict[Place, list[int]] = defaultdict(list)
    for partition in range(partitions):
        keys = KEYS * PER_KEY
        luck.shuffle(keys)
        produce_kinds(group, *[{"key": key} for key in keys], partition=partition)
        for offset, key in enumerate(keys, 1):
            waiting[Place(partition, key)].append(offset)
    return dict(waiting)


def expire(delivery: LeasedDelivery) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE consumers_delivery SET lease_expires_at = statement_timestamp() - interval '1 ms'"
            " WHERE id = %s AND state = 'leased' AND lease_token = %s",
            [delivery.id, delivery.token],
        )


def nothing_is_left(group: Any) -> bool:
    return not Delivery.objects.exists() and not any(
        GroupOffset.objects.filter(group=group).values_list("held_up_count", flat=True)
    )


@pytest.fixture(params=["one process", "a process each"])
def processes(request, monkeypatch):
    """Callers of one process share their commits; those of several meet at the database only."""
    if request.param == "a process each":
        own = threading.local()
        monkeypatch.setattr(shared_commits, "_lanes", _OwnLanes(own))


class _OwnLanes:
    """Lanes for each thread."""

    def __init__(self, own: threading.local) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        if not hasattr(self._own, "lanes"):
            self._own.lanes = shared_commits.Lanes()
        return getattr(self._own.lanes, name)


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("partitions", [1, 2])
def test_of_a_key_one_event_is_in_anybodys_hands_and_always_the_next(partitions):
    group = make_lease_group(partitions=partitions, ordering="key", max_failures=1_000, max_deliveries=1_000)
    ledger = TurnsLedger(fill(group, partitions))
    total = ledger.left
    deadline = time.monotonic() + 50

    def consume(seed: int) -> None:
        luck = random.Random(seed)
        while ledger.left or Delivery.objects.filter(group=group).exists():
            assert time.monotonic() < deadline, f"{ledger.left} of {total} are left: {states(group)}"
            taken = [(each, ledger.take(each)) for each in lease(group, luck.randint(1, 20)).deliveries]
            for delivery, place in taken:
                chance = luck.random()
                # What is given up is given in the ledger first: somebody else may have it the moment after.
                ledger.give(place, delivery, is_finished=chance < 0.75)
                if chance < 0.65:
                    assert ack(group, delivery) == ["acked"]
                elif chance < 0.75:
                    assert nack(group, delivery, is_terminal=True) == ["nacked"]
                elif chance < 0.85:
                    assert nack(group, delivery, delay_seconds=0.0) == ["nacked"]
                elif chance < 0.95:
                    assert release_deliveries(group=group, leases=refs(delivery))[0].result == "released"
                else:
                    expire(delivery)

    def redrive() -> None:
        while ledger.left:
            reconcile_deliveries()
            for letter in DeadLetter.objects.filter(group=group, status="open")[:3]:
                redrive_dead_letter(dead_letter=letter, requested_by="user:1")

    at_once(*(lambda seed=seed: consume(seed) for seed in range(3)), redrive)

    # Redrives took part; the last one may have come when all consumers had left.
    assert ledger.redriven > 0
    assert ledger.left == 0
    reconcile_deliveries()
    for delivery in lease(group, 100).deliveries:
        assert delivery.dead_letter_id is not None
        ack(group, delivery)
    assert nothing_is_left(group), (states(group), list(GroupOffset.objects.values_list("held_up_count", flat=True)))
    assert [committed(group, each) for each in range(partitions)] == [total // partitions] * partitions


class Holding(NamedTuple):
    """When a process had an event, within what the server saw, and what it was told at the end."""

    taken_at: float
    given_at: float
    offset: int
    result: str


@pytest.mark.processes
def test_processes_that_are_killed_leave_no_key_behind_and_no_order_broken():
    group = make_lease_group(partitions=2, ordering="key", max_failures=1_000, max_deliveries=1_000)
    places = {(place.partition, offset): place for place, own in fill(group, 2).items() for offset in own}
    luck = random.Random(9)
    said: list[str] = []
    kills = 0
    deadline = time.monotonic() + 50
    while not nothing_is_left(group) or committed(group) == 0:
        assert time.monotonic() < deadline, states(group)
        consumers = [start("consume_in_turn", group.pk, idle_seconds=2.5 if kills >= 6 else 0.5) for _ in range(2)]
        if kills < 6:
            time.sleep(luck.uniform(0.1, 0.4))
            for consumer in consumers:
                consumer.kill()
        for consumer in consumers:
            output, _ = consumer.communicate(timeout=60)
            kills += consumer.returncode == -signal.SIGKILL
            # The last line may be cut off.
            said += output.split("\n")[:-1]

    assert kills >= 4
    assert [committed(group, each) for each in range(2)] == [len(KEYS) * PER_KEY] * 2
    histories: dict[Place, list[Holding]] = defaultdict(list)
    for line in said:
        _, partition, offset, taken_at, given_at, result = line.split()
        place = places[int(partition), int(offset)]
        histories[place].append(Holding(float(taken_at), float(given_at), int(offset), result))
    for place, own in histories.items():
        # Whoever lost its lease had it for longer than it may.
        valid = sorted(each for each in own if each.result != "lease_lost")
        for before, after in pairwise(valid):
            assert before.given_at < after.taken_at, f"{place}: two at once: {before} and {after}"
            assert before.offset <= after.offset, f"{place}: out of order: {before} and {after}"
