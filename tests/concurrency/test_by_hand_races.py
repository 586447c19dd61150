"""What people do by hand against what consumers do at the same moment: no delivery is lost, none is doubled."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from consumers.errors import DeliveryNotFound, DeliveryNotLeased, DeliveryNotWaiting
from consumers.models import ConsumerGroup, Delivery
from consumers.services.leasing import LeasedDelivery
from consumers.services.leasing.by_hand import release_delivery, retry_delivery_now
from consumers.services.reconcile import reconcile_deliveries
from tests.concurrency.test_lease_races import MANY_TURNS, met_at_the_partitions
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
    states,
)
from tests.threads import at_once, outcomes_of

pytestmark = pytest.mark.usefixtures("db_with_commits")


def by_hand(call: Callable[..., Any], group: ConsumerGroup, delivery: LeasedDelivery) -> str:
    try:
        call(group=group, delivery_id=delivery.id)
    except (DeliveryNotFound, DeliveryNotLeased, DeliveryNotWaiting) as refused:
        return refused.code
    return "done"


def finish(group: ConsumerGroup, up_to: int) -> list[int]:
    """Consume whatever is left, and return the offsets that were seen; each must come once."""
    seen: list[int] = []
    while committed(group) < up_to:
        deliveries = lease(group).deliveries
        assert deliveries, states(group)
        seen += offsets(deliveries)
        assert set(ack(group, *deliveries)) == {"acked"}
    return seen


def test_a_release_and_the_ack_of_its_consumer_are_one_of_the_two():
    ways: Counter[tuple[str, str]] = Counter()
    for turn in range(1, MANY_TURNS + 1):
        group = make_lease_group()
        produce(group, 5)
        held = lease_one(group, 5)

        acked, released = at_once(
            lambda group=group, held=held: ack(group, held)[0],
            lambda group=group, held=held: by_hand(release_delivery, group, held),
        )

        if acked == "acked":
            assert released in ("delivery_not_found", "delivery_not_leased")
            assert (states(group), committed(group)) == ([], 5)
        else:
            assert (acked, released) == ("lease_lost", "done")
            assert (states(group), committed(group)) == ([(1, 5, "waiting")], 0)
            assert finish(group, 5) == [1, 2, 3, 4, 5]
        ways[acked, released == "done"] += 1
        if turn >= 10 and len(ways) == 2:
            return
    pytest.fail(f"it did not go both ways: {ways}")


@pytest.mark.parametrize("rival", [ack, nack], ids=["ack", "nack"])
def test_whoever_waited_for_the_other_sees_what_it_did(rival):
    """Both have looked before either of them did anything."""
    group = make_lease_group()
    produce(group, 5)
    held = lease_one(group, 5)

    calls = (lambda: rival(group, held)[0], lambda: by_hand(release_delivery, group, held))
    with met_at_the_partitions(group, *calls) as works:
        assert states(group) == [(1, 5, "leased")]
    said, released = outcomes_of(works)

    assert (said == "lease_lost") == (released == "done")
    assert sum(last - first + 1 for first, last, _ in states(group)) == (0 if said == "acked" else 5)
    reconcile_deliveries()
    assert dead(group) == []


def test_a_release_of_many_people_at_once_is_one():
    group = make_lease_group()
    produce(group, 5)
    held = lease_one(group, 5)

    calls = [lambda: by_hand(release_delivery, group, held)] * 4
    with met_at_the_partitions(group, *calls) as works:
        assert states(group) == [(1, 5, "leased")]

    assert sorted(outcomes_of(works)) == ["delivery_not_leased"] * 3 + ["done"]
    assert states(group) == [(1, 5, "waiting")]


def test_a_release_and_the_reaper_take_a_lease_back_once():
    for _ in range(20):
        group = make_lease_group(max_failures=2)
        produce(group, 1)
        held = lease_one(group)
        let_expire(group)

        released, _ = at_once(
            lambda group=group, held=held: by_hand(release_delivery, group, held), reconcile_deliveries
        )

        assert released == "delivery_not_leased"
        (row,) = Delivery.objects.filter(group=group)
        assert (row.state, row.failure_count) == ("waiting", 1)


@pytest.mark.parametrize("ordering", ["none", "partition"])
def test_what_is_retried_while_many_lease_is_handed_to_one_of_them(ordering):
    for _ in range(20):
        group = make_lease_group(ordering=ordering, backoff_seconds=(3600,))
        produce(group, 3)
        failed = lease_one(group, 3)
        nack(group, failed)

        retried, again, *takers = at_once(
            lambda group=group, failed=failed: by_hand(retry_delivery_now, group, failed),
            lambda group=group, failed=failed: by_hand(retry_delivery_now, group, failed),
            *[lambda group=group: offsets(lease(group).deliveries)] * 4,
        )
        # All of them may have been too early.
        takers.append(offsets(lease(group).deliveries))

        # Whoever retried second found it waiting still, or leased already.
        assert "done" in (retried, again)
        assert {retried, again} <= {"done", "delivery_not_waiting"}
        assert sorted(offset for taken in takers for offset in taken) == [1, 2, 3]
        (row,) = Delivery.objects.filter(group=group)
        assert (row.state, row.delivery_count, row.failure_count) == ("leased", 2, 1)


def test_a_retry_that_meets_the_lease_leaves_the_lease_alone():
    """The retry has seen it waiting, and gets its turn when it is leased."""
    group = make_lease_group()
    produce(group, 3)
    failed = lease_one(group, 3)
    nack(group, failed)

    with met_at_the_partitions(group, lambda: by_hand(retry_delivery_now, group, failed)) as works:
        taken = lease_one(group, 3)
        assert taken.id == failed.id

    assert outcomes_of(works) == ["delivery_not_waiting"]
    assert ack(group, taken) == ["acked"]
    assert committed(group) == 3
