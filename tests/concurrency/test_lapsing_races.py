"""Events that become due and events that expire, while everybody is at them: none is given too early, too late or twice."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
import pytest

from consumers.errors import DeadLetterNotOpen
from consumers.models import ConsumerGroup, DeadLetter, Delivery, DeliveryHistory, GroupOffset
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.leasing import LeasedDelivery, release_deliveries
from consumers.services.reconcile import reconcile_deliveries
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from tests.concurrency.test_key_order_races import expire
from tests.consumers.leases import ack, info, lease, make_lease_group, nack, produce_kinds, refs, states
from tests.threads import at_once

pytestmark = [
    pytest.mark.slow("races until every event is acked, dead or expired"),
    pytest.mark.usefixtures("db_with_commits"),
]
PARTITIONS, EVENTS = 2, 60
ACK_WAIT_SECONDS = 30.0
LONGEST_SECONDS = 4.0
# A lease looks at the time when it begins, and writes it down when it has the rows.
GRACE = timedelta(seconds=1)

Place = tuple[int, int]


class Ledger:
    """What each consumer says to have and to have given, held against the times of the events."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        # By round: a redrive begins a new one.
        self.held: set[tuple[Place, int]] = set()
        self.acked: set[Place] = set()
        self.redriven = 0
        self.was_later = 0

    def take(self, delivery: LeasedDelivery) -> None:
        leased_at = delivery.expires_at - timedelta(seconds=ACK_WAIT_SECONDS)
        for raw in delivery.events:
            event = orjson.loads(raw)
            place = event["partition"], event["offset"]
            self.claim(place, delivery)
            if delivery.dead_letter_id is None:
                recorded_at = datetime.fromisoformat(event["recorded_at"])
                if (later := event.get("deliver_after")) is not None:
                    self.was_later += 1
                    assert leased_at >= recorded_at + timedelta(seconds=later), f"{place} came before its time"
                if (lifetime := event.get("expires_after")) is not None:
                    assert leased_at <= recorded_at + timedelta(seconds=lifetime) + GRACE, f"{place} had expired"

    def claim(self, place: Place, delivery: LeasedDelivery) -> None:
        with self.lock:
            assert (place, delivery.round) not in self.held, f"{place} is in two hands"
            self.held.add((place, delivery.round))
            assert delivery.dead_letter_id or delivery.round or place not in self.acked, f"{place} was acked"

    def give(self, delivery: LeasedDelivery) -> None:
        places = [(delivery.partition, offset) for offset in range(delivery.first_offset, delivery.last_offset + 1)]
        with self.lock:
            self.held.difference_update((place, delivery.round) for place in places)

    def note_acked(self, delivery: LeasedDelivery) -> None:
        with self.lock:
            self.redriven += delivery.dead_letter_id is not None
            if delivery.dead_letter_id is None:
                offsets = range(delivery.first_offset, delivery.last_offset + 1)
                self.acked.update((delivery.partition, offset) for offset in offsets)


class SoughtLedger(Ledger):
    """What is sought back is handed out again, whoever held it: only the times of the events are held to."""

    def claim(self, place: Place, delivery: LeasedDelivery) -> None:
        """Nobody asks who else has it."""


def fill(group: ConsumerGroup) -> None:
    luck = random.Random(3)
    for partition in range(PARTITIONS):
        events = []
        for _ in range(EVENTS):
            later, lifetime = round(luck.uniform(0.1, 2), 2), round(luck.uniform(0.5, LONGEST_SECONDS - 1), 2)
            event: dict[str, Any] = {"key": luck.choice(["a", "b", "c", "d", "e", None])}
            kind = luck.random()
            if kind < 0.5:
                event["expires_after"] = lifetime + later * (kind < 0.25)
            if kind < 0.25 or kind > 0.75:
                event["deliver_after"] = later
            events.append(event)
        produce_kinds(group, *events, partition=partition)


class Race:
    """Consumers who do to events whatever can be done, until nothing is left."""

    def __init__(self, group: ConsumerGroup, ledger: Ledger) -> None:
        self.group, self.ledger = group, ledger
        self.deadline = time.monotonic() + 50
        # One that has seen something wrong ends the race for all: what it saw is told, and not that others go on.
        self.is_called_off = False
        # Long enough that the last event has expired, or was due.
        self.ends_at = time.monotonic() + LONGEST_SECONDS + 1
        self.results: Counter[str] = Counter()

    @property
    def is_over(self) -> bool:
        if self.is_called_off:
            return True
        if time.monotonic() < self.ends_at:
            return False
        heads = GroupOffset.objects.filter(group=self.group).values_list("committed_offset", flat=True)
        return not Delivery.objects.filter(group=self.group).exists() and set(heads) == {EVENTS}

    def run(self, *others: Callable[[], None]) -> None:
        """Let everybody race, and raise the first error."""
        consumers: list[Callable[[], None]] = [partial(self.consume, seed) for seed in range(3)]
        everybody = [*consumers, self.reconcile, self.pause, *others]
        at_once(*(partial(self._take_part, call) for call in everybody))

    def _take_part(self, call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException:
            self.is_called_off = True
            raise

    def consume(self, seed: int) -> None:
        luck = random.Random(seed)
        while not self.is_over:
            assert time.monotonic() < self.deadline, states(self.group)
            leased = lease(self.group, luck.randint(1, 12), ack_wait_seconds=ACK_WAIT_SECONDS).deliveries
            for delivery in leased:
                self.ledger.take(delivery)
            time.sleep(luck.uniform(0, 0.05))
            is_late = time.monotonic() > self.ends_at
            for delivery in leased:
                # What is given up is given in the ledger first: somebody else may have it the moment after.
                self.ledger.give(delivery)
                self.settle(delivery, 0.0 if is_late else luck.random(), luck)

    def settle(self, delivery: LeasedDelivery, chance: float, luck: random.Random) -> None:
        if chance < 0.3:
            (result,) = ack(self.group, delivery)
            if result == "acked":
                self.ledger.note_acked(delivery)
        elif chance < 0.65:
            (result,) = nack(self.group, delivery, delay_seconds=luck.choice([0.0, 0.2, 0.6]))
        elif chance < 0.75:
            (result,) = nack(self.group, delivery, is_terminal=True)
        elif chance < 0.9:
            result = release_deliveries(group=self.group, leases=refs(delivery))[0].result
        else:
            expire(delivery)
            return
        self.results[result] += 1

    def reconcile(self) -> None:
        while not self.is_over:
            reconcile_deliveries()
            # Not when the consumers may leave: somebody has to take it.
            is_in_time = time.monotonic() < self.ends_at - 0.5
            for letter in DeadLetter.objects.filter(group=self.group, status="open")[: 2 * is_in_time]:
                # A seek may have resolved it.
                with suppress(DeadLetterNotOpen):
                    redrive_dead_letter(dead_letter=letter, requested_by="user:1")
            time.sleep(0.05)

    def pause(self) -> None:
        while time.monotonic() < self.ends_at and not self.is_called_off:
            for is_paused in (True, False):
                ConsumerGroup.objects.filter(pk=self.group.pk).update(is_paused=is_paused)
                time.sleep(0.1)


def lapsed_of(group: ConsumerGroup) -> Counter[Place]:
    rows = DeliveryHistory.objects.filter(group=group, outcome="lapsed")
    found = rows.values_list("partition__number", "first_offset", "last_offset")
    return Counter((number, offset) for number, first, last in found for offset in range(first, last + 1))


def expired_of(group: ConsumerGroup) -> int:
    return sum(GroupOffset.objects.filter(group=group).values_list("expired_count", flat=True))


def finished_of(group: ConsumerGroup) -> int:
    return sum(GroupOffset.objects.filter(group=group).values_list("finished_count", flat=True))


@pytest.mark.parametrize("ordering", ["none", "partition", "key"])
def test_each_event_is_acked_or_dead_or_has_expired_and_only_one_of_these(ordering):
    group = make_lease_group(partitions=PARTITIONS, ordering=ordering, max_failures=3, max_deliveries=1_000)
    ledger = Ledger()
    fill(group)
    race = Race(group, ledger)

    race.run()

    lapsed = lapsed_of(group)
    letters = DeadLetter.objects.filter(group=group).values_list("partition__number", "offset")
    # One that failed again has one for each round.
    dead = Counter({(number, offset) for number, offset in letters})
    ends = Counter(ledger.acked) + lapsed + dead
    assert set(ends) == {(number, offset) for number in range(PARTITIONS) for offset in range(1, EVENTS + 1)}
    assert [place for place, count in ends.items() if count > 1] == []
    assert expired_of(group) == lapsed.total()
    # All of it happened; nobody lost a lease that they held.
    assert ledger.was_later
    assert min(lapsed.total(), len(ledger.acked)) > 0
    if ordering != "partition":
        # There one at a time is handed out: too few for every chance to come.
        assert min(dead.total(), ledger.redriven) > 0
    assert race.results["lease_lost"] == 0
    assert finished_of(group) == len(ledger.acked) + ledger.redriven + lapsed.total()


@pytest.mark.parametrize("ordering", ["none", "partition", "key"])
def test_a_group_that_is_sought_back_and_forth_meanwhile_finishes_all_the_same(ordering):
    group = make_lease_group(partitions=PARTITIONS, ordering=ordering, max_failures=3, max_deliveries=1_000)
    fill(group)
    race = Race(group, SoughtLedger())

    def seek() -> None:
        luck = random.Random(7)
        while time.monotonic() < race.ends_at - 1 and not race.is_called_off:
            time.sleep(luck.uniform(0.2, 0.6))
            target = SeekTarget(SeekTo.OFFSET, luck.randint(0, EVENTS))
            seek_group(stream=info(group), group=group, target=target, partition=luck.randrange(PARTITIONS))

    race.run(seek)

    assert race.ledger.was_later
    assert lapsed_of(group)
    rounds, held_up = zip(*GroupOffset.objects.filter(group=group).values_list("round", "held_up_count"), strict=True)
    assert max(rounds) > 1
    assert set(held_up) == {0}
