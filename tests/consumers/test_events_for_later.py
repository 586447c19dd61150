"""What is for later is handed out when it is due, and holds up only what the order says."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consumers.conf import MAX_SORTED_AT_ONCE, SORTING_LOOKS
from consumers.models import Delivery
from consumers.services.leasing.by_hand import retry_delivery_now
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from tests.consumers.leases import (
    ack,
    committed,
    info,
    lease,
    lease_one,
    make_due,
    make_lease_group,
    nack,
    offsets,
    produce,
    produce_kinds,
    states,
)
from tests.threads import Work

pytestmark = pytest.mark.usefixtures("db_with_commits")

PAST, FUTURE = "2026-01-01T10:00:00Z", (datetime.now(UTC) + timedelta(days=20)).isoformat()
PLAIN: dict = {}


def leased(group, max_events=100, **options):
    return offsets(lease(group, max_events, **options).deliveries)


@pytest.mark.parametrize("later", [{"deliver_after": 3_600}, {"deliver_after": 0.5 + 3_600}, {"deliver_after": FUTURE}])
def test_an_event_for_later_waits_and_those_behind_it_go_ahead(later):
    group = make_lease_group()
    produce_kinds(group, PLAIN, later, PLAIN)

    assert leased(group) == [1, 3]

    assert states(group) == [(1, 1, "leased"), (2, 2, "waiting"), (3, 3, "leased")]
    assert leased(group) == []
    make_due(group)
    assert leased(group) == [2]


def test_an_event_whose_time_has_passed_is_handed_out_at_once():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": PAST}, PLAIN)
    assert leased(group) == [1, 2]
    assert len(states(group)) == 1


def test_it_is_handed_out_as_it_was_sent():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": PAST})
    (event,) = lease_one(group).events
    assert orjson.loads(event)["deliver_after"] == PAST


def test_a_lease_that_waits_is_answered_when_one_is_due_and_not_before():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": 0.7})
    (delivery,) = lease(group, wait_seconds=20).deliveries
    (event,) = delivery.events
    row = Delivery.objects.get(pk=delivery.id)
    assert row.leased_at >= datetime.fromisoformat(orjson.loads(event)["recorded_at"]) + timedelta(seconds=0.7)


def test_whoever_waits_already_when_it_is_appended_is_answered_when_it_is_due():
    group = make_lease_group()
    waiting = Work(lambda: leased(group, wait_seconds=20))
    produce_kinds(group, {"deliver_after": 0.5})
    assert waiting.result(20) == [1]


def test_neighbours_that_are_due_together_are_one_delivery():
    group = make_lease_group()
    produce_kinds(group, *[{"deliver_after": 3_600}] * 50)
    assert leased(group) == []
    assert states(group) == [(1, 50, "waiting")]
    make_due(group)
    assert leased(group, 20) == list(range(1, 21))
    assert leased(group) == list(range(21, 51))


def test_a_lease_with_little_room_passes_by_what_is_for_later():
    group = make_lease_group()
    produce_kinds(group, *[{"deliver_after": 3_600 + n} for n in range(30)], PLAIN)
    assert leased(group, 1) == [31]


def test_thousands_for_later_do_not_keep_a_small_lease_from_what_is_behind_them():
    group = make_lease_group()
    for _ in range(3):
        produce_kinds(group, *[{"deliver_after": 3_600}] * 1_000)
    produce_kinds(group, PLAIN)
    assert MAX_SORTED_AT_ONCE * SORTING_LOOKS > 3_000
    assert leased(group, 1) == [3_001]


def test_what_was_passed_is_not_looked_at_again():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": 3_600}, PLAIN)
    assert leased(group) == [2]
    produce(group, 5)
    # Of what follows the last event with a time nothing is decoded: it goes as one range.
    assert leased(group) == [3, 4, 5, 6, 7]


def test_the_committed_offset_waits_for_it_and_then_passes_all():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": 3_600}, PLAIN, PLAIN)
    assert ack(group, lease_one(group)) == ["acked"]
    assert committed(group) == 0
    make_due(group)
    assert ack(group, lease_one(group)) == ["acked"]
    assert committed(group) == 3


def test_in_the_order_of_its_partition_it_holds_up_what_follows():
    group = make_lease_group(ordering="partition")
    produce_kinds(group, PLAIN, {"deliver_after": 3_600}, PLAIN)
    assert ack(group, lease_one(group)) == ["acked"]
    assert leased(group) == []
    assert leased(group) == []
    assert states(group) == [(2, 2, "waiting")]
    make_due(group)
    assert ack(group, lease_one(group)) == ["acked"]
    assert leased(group) == [3]


def test_in_an_order_a_lease_that_waits_behind_it_does_not_spin():
    group = make_lease_group(ordering="partition")
    produce_kinds(group, {"deliver_after": 3_600}, {"deliver_after": 7_200})

    with CaptureQueriesContext(connection) as queries:
        assert leased(group, wait_seconds=1.5) == []
    assert len(queries) < 100


def test_in_an_order_another_partition_goes_on():
    group = make_lease_group(ordering="partition", partitions=2)
    produce_kinds(group, {"deliver_after": 3_600}, PLAIN)
    produce_kinds(group, PLAIN, partition=1)
    found = [delivery.partition for _ in range(4) for delivery in lease(group).deliveries]
    assert found == [1]


def test_in_an_order_a_lease_that_waits_is_answered_when_it_is_due():
    group = make_lease_group(ordering="partition")
    produce_kinds(group, {"deliver_after": 0.5}, PLAIN)
    assert leased(group, wait_seconds=20) == [1]


def test_it_fails_and_comes_again_like_any_other():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": 3_600})
    lease(group)
    make_due(group)
    assert nack(group, lease_one(group)) == ["nacked"]
    assert lease_one(group).delivery_count == 2


def test_whoever_manages_the_group_may_have_it_now():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": 3_600})
    lease(group)
    retry_delivery_now(group=group, delivery_id=Delivery.objects.get().pk)
    assert leased(group) == [1]


def test_a_seek_back_lets_it_wait_for_its_time_again():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": 3_600}, {"deliver_after": PAST})
    assert leased(group) == [2]
    seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.EARLIEST))
    assert Delivery.objects.count() == 0
    assert leased(group) == [2]
    assert states(group) == [(1, 1, "waiting"), (2, 2, "leased")]


def test_a_seek_forward_leaves_it_behind():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": 3_600}, PLAIN)
    lease(group)
    seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.LATEST))
    assert (Delivery.objects.count(), committed(group)) == (0, 2)


def test_the_room_in_flight_is_for_what_is_handed_out():
    group = make_lease_group(max_in_flight=2)
    produce_kinds(group, *[{"deliver_after": 3_600}] * 5, PLAIN, PLAIN, PLAIN)
    assert leased(group) == [6, 7]


def test_an_ack_behind_what_is_for_later_asks_no_more_of_the_database_than_any_other():
    behind, plain = make_lease_group(), make_lease_group()
    produce_kinds(behind, {"deliver_after": 3_600}, PLAIN)
    produce_kinds(plain, PLAIN)
    counts = []
    for group in (behind, plain):
        delivery = lease_one(group)
        with CaptureQueriesContext(connection) as asked:
            assert ack(group, delivery) == ["acked"]
        counts.append(len(asked))
    assert counts[0] == counts[1]
    # As soon as that is done, all is.
    make_due(behind)
    ack(behind, lease_one(behind))
    assert committed(behind) == 2
