"""The mover is killed again and again, at any line: each event is acked or dead-lettered, never both, never neither."""

import random
import time

import pytest

from consumers.isolation import FailedEvent
from consumers.models import DeadLetter, DeadLetterAttempt
from consumers.services.reconcile import reconcile_deliveries
from tests.consumers.leases import ack, committed, dead, lease, make_lease_group, produce, states
from tests.consumers.processes import start

pytestmark = pytest.mark.usefixtures("db_with_commits")

KILLS = 6


def test_a_mover_that_is_killed_at_any_moment_loses_and_doubles_nothing():
    luck = random.Random(11)
    group = make_lease_group(max_in_flight=100_000)
    produce(group, 6_000)
    bad: set[int] = set()
    for _ in range(KILLS):
        movers = [start("move", group.pk) for _ in range(2)]
        for mover in movers:
            assert mover.stdout is not None
            assert mover.stdout.readline() == "ready\n"
        killed_at = time.monotonic() + luck.uniform(0.05, 0.3)
        while time.monotonic() < killed_at:
            for delivery in lease(group, 100).deliveries:
                failed = luck.sample(range(delivery.first_offset, delivery.last_offset + 1), 20)
                bad |= set(failed)
                ack(group, delivery, failed=[FailedEvent(each, "hopeless", is_terminal=True) for each in failed])
        for mover in movers:
            mover.kill()
            mover.wait()
    # Celery is gone for good: leases make what is left of the moves.
    while deliveries := lease(group, 1000).deliveries:
        ack(group, *deliveries)
    while any(state == "exhausted" for *_, state in states(group)):
        lease(group, 1)

    assert bad
    assert dead(group) == [(offset, "terminal") for offset in sorted(bad)]
    assert (states(group), committed(group)) == ([], 6_000)
    assert all(DeadLetter.objects.values_list("event", flat=True))
    assert DeadLetterAttempt.objects.count() == len(bad)
    assert reconcile_deliveries() == 0
