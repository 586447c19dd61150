"""The mover is killed again and again, at any line: each event is acked or dead-lettered, never both, never neither."""

import itertools
import random
import signal
import time

import pytest

from consumers.isolation import FailedEvent
from consumers.models import ConsumerGroup, DeadLetter, DeadLetterAttempt
from consumers.services.reconcile import reconcile_deliveries
from tests.consumers.dying_mover import is_killed
from tests.consumers.leases import (
    ack,
    committed,
    dead,
    eventually,
    lease,
    lease_one,
    let_expire,
    make_lease_group,
    nack,
    produce,
    states,
)
from tests.consumers.processes import start
from tests.factories import make_stream

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

KILLS = 6


def test_a_mover_that_is_killed_at_any_moment_loses_and_doubles_nothing():
    luck = random.Random(11)
    group = make_lease_group(max_in_flight=100_000)
    produce(group, 6_000)
    bad: set[int] = set()
    moved = left = 0
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
                assert ack(group, delivery, failed=[FailedEvent(each, "hopeless", is_terminal=True) for each in failed])
        for mover in movers:
            mover.kill()
            said, _ = mover.communicate(timeout=60)
            # It worked until it was killed.
            assert mover.returncode == -signal.SIGKILL
            # The last line may be cut off.
            moved += sum(int(line.split()[1]) for line in said.split("\n")[:-1])
        left += sum(state == "exhausted" for *_, state in states(group))
    # Celery is gone for good: leases make what is left of the moves.
    while deliveries := lease(group, 1000).deliveries:
        ack(group, *deliveries)
    eventually(lambda: lease(group, 1).deliveries == [] and not states(group), 60)

    # There was something to move whenever they were killed, and what they moved is a good part of it all.
    assert left > 0
    assert moved > len(bad) / 10
    assert dead(group) == [(offset, "terminal") for offset in sorted(bad)]
    assert (states(group), committed(group)) == ([], 6_000)
    assert all(DeadLetter.objects.values_list("event", flat=True))
    assert DeadLetterAttempt.objects.count() == len(bad)
    assert reconcile_deliveries() == 0


def _unfinished(group: ConsumerGroup) -> list[int]:
    return [offset for first, last, _ in states(group) for offset in range(first, last + 1)]


def test_it_may_be_killed_between_any_two_lines():
    stream = make_stream()
    produce(make_lease_group(stream=stream), 4)
    for line in itertools.count():
        group = make_lease_group(stream=stream, max_failures=1)
        nack(group, lease_one(group, 3), is_terminal=True)
        lease_one(group, 1)
        let_expire(group)

        has_died = is_killed(group.pk, before_line=line)

        # At every moment an event is either still in hand or a dead letter, with the lease's end written down.
        assert sorted(_unfinished(group) + [offset for offset, _ in dead(group)]) == [1, 2, 3, 4], line
        assert DeadLetterAttempt.objects.filter(dead_letter__group=group).count() == len(dead(group)), line
        if not has_died:
            break
        # Celery is gone for good.
        assert lease(group).deliveries == []
        assert dead(group) == [*((offset, "terminal") for offset in (1, 2, 3)), (4, "max_failures")], line
        assert (states(group), committed(group)) == ([], 4), line
        assert DeadLetterAttempt.objects.filter(dead_letter__group=group).count() == 4, line
    assert line > 50
