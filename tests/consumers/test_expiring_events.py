"""What has expired is not handed out any more: it counts as finished, is told of, and is never a dead letter."""

import pytest
from django.db import transaction
from django.db.models.functions import Now

from consumers.conf import MAX_LEASE_EVENTS, RECONCILE_STEP_DELIVERIES
from consumers.errors import DeliveryNotLeased, DeliveryNotWaiting
from consumers.models import DeadLetter, Delivery, DeliveryHistory, GroupOffset
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.leasing import release_deliveries
from consumers.services.leasing.by_hand import release_delivery, retry_delivery_now
from consumers.services.leasing.lapsing import end_lapsed, end_those_lapsed
from consumers.services.reconcile import reconcile_deliveries
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from tests.consumers.leases import (
    ack,
    committed,
    dead,
    info,
    lease,
    lease_one,
    let_events_expire,
    let_expire,
    make_due,
    make_lease_group,
    nack,
    offsets,
    produce_kinds,
    refs,
    states,
)

pytestmark = pytest.mark.usefixtures("db_with_commits")

PLAIN: dict = {}
# The shortest there is: it has passed when anybody comes.
EXPIRED, LATER_EXPIRED = {"expires_after": 0.001}, {"expires_after": 3_600}


def leased(group, max_events=100, **options):
    return offsets(lease(group, max_events, **options).deliveries)


def counts(group):
    (row,) = GroupOffset.objects.filter(group=group).values_list("expired_count", "finished_count", "dead_letter_count")
    return row


def lapsed(group):
    rows = DeliveryHistory.objects.filter(group=group, outcome="lapsed").order_by("first_offset")
    return list(rows.values_list("first_offset", "last_offset", "delivery_count"))


# --- before it is handed out -----------------------------------------------------------------------------


def test_what_has_expired_when_its_turn_comes_is_passed():
    group = make_lease_group()
    produce_kinds(group, PLAIN, EXPIRED, EXPIRED, PLAIN)
    assert leased(group) == [1, 4]
    assert counts(group) == (2, 2, 0)
    assert lapsed(group) == [(2, 3, 0)]


def test_what_has_not_expired_is_handed_out_and_acked_like_any_other():
    group = make_lease_group()
    produce_kinds(group, LATER_EXPIRED)
    assert ack(group, lease_one(group)) == ["acked"]
    assert (committed(group), counts(group), lapsed(group)) == (1, (0, 1, 0), [])


def test_where_all_has_expired_there_is_nothing_and_the_group_is_done():
    group = make_lease_group()
    produce_kinds(group, *[EXPIRED] * 30)
    assert leased(group) == []
    assert (committed(group), Delivery.objects.count(), counts(group)) == (30, 0, (30, 30, 0))


def test_many_are_told_of_in_pieces_that_are_no_longer_than_a_delivery():
    group = make_lease_group()
    produce_kinds(group, *[EXPIRED] * MAX_LEASE_EVENTS)
    produce_kinds(group, EXPIRED)
    assert leased(group, 1_001) == []
    assert lapsed(group) == [(1, MAX_LEASE_EVENTS, 0), (MAX_LEASE_EVENTS + 1, MAX_LEASE_EVENTS + 1, 0)]


def test_what_expires_while_it_waits_for_its_time_ends():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": 60, "expires_after": 120}, PLAIN)
    assert leased(group) == [2]
    let_events_expire(group)
    make_due(group)
    assert leased(group) == []
    assert states(group) == [(2, 2, "leased")]
    assert (counts(group), lapsed(group)) == ((1, 1, 0), [(1, 1, 0)])
    assert committed(group) == 1


def test_the_scheduler_ends_it_where_nobody_leases():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": 60, "expires_after": 120})
    lease(group)
    assert reconcile_deliveries() == 0
    let_events_expire(group)
    assert reconcile_deliveries() == 1
    assert (committed(group), counts(group)) == (1, (1, 1, 0))


def test_it_ends_in_bounded_steps():
    group = make_lease_group()
    produce_kinds(group, *[{"deliver_after": 60 + n, "expires_after": 120} for n in range(7)])
    lease(group)
    let_events_expire(group)
    assert [end_lapsed(group=group, max_deliveries=3) for _ in range(4)] == [3, 3, 1, 0]
    assert counts(group) == (7, 7, 0)


@pytest.mark.parametrize("ordering", ["none", "key"])
@pytest.mark.parametrize(
    "changes", [{"is_alone": False}, {"is_alone": True}, {"suspect_limit": 1}], ids=["plain", "alone", "suspected"]
)
def test_what_has_expired_and_is_not_ended_yet_is_not_handed_out(ordering, changes):
    group = make_lease_group(ordering=ordering)
    # A lease ends one step of them: one is left.
    count = RECONCILE_STEP_DELIVERIES + 1
    produce_kinds(group, *[{"key": str(n), "deliver_after": 60 + n, "expires_after": 900} for n in range(count)])
    assert leased(group) == []
    let_events_expire(group)
    make_due(group)
    assert Delivery.objects.update(**changes) == count
    assert leased(group) == []
    assert Delivery.objects.count() == 1


def test_nor_is_it_where_it_comes_first_in_the_order_of_its_partition():
    group = make_lease_group(ordering="partition", max_failures=2)
    produce_kinds(group, *[LATER_EXPIRED] * (RECONCILE_STEP_DELIVERIES + 1))
    # For their last attempt they are dealt out one by one.
    nack(group, lease_one(group, 1_000))
    let_events_expire(group)
    # A lease ends those first that expired first.
    Delivery.objects.filter(first_offset=1).update(event_expires_at=Now())
    assert leased(group) == []
    assert states(group) == [(1, 1, "waiting")]


def test_in_the_order_of_its_partition_it_makes_way():
    group = make_lease_group(ordering="partition")
    produce_kinds(group, {"deliver_after": 60, "expires_after": 120}, PLAIN)
    assert leased(group) == []
    let_events_expire(group)
    assert leased(group) == [2]


def test_in_an_order_whoever_waits_is_answered_when_what_was_in_front_expires():
    group = make_lease_group(ordering="partition")
    produce_kinds(group, {"deliver_after": 60, "expires_after": 61}, PLAIN)
    assert leased(group) == []
    Delivery.objects.update(event_expires_at="2026-01-01T00:00:00Z")
    assert leased(group, wait_seconds=20) == [2]


# --- when it has been handed out -------------------------------------------------------------------------


def test_what_is_leased_when_it_expires_may_still_be_acked():
    group = make_lease_group()
    produce_kinds(group, LATER_EXPIRED)
    delivery = lease_one(group)
    let_events_expire(group)
    assert reconcile_deliveries() == 0
    assert ack(group, delivery) == ["acked"]
    assert (counts(group), lapsed(group)) == ((0, 1, 0), [])


def test_what_was_leased_after_it_was_found_to_have_expired_is_left_to_its_consumer():
    group = make_lease_group()
    produce_kinds(group, LATER_EXPIRED)
    delivery = lease_one(group)
    let_events_expire(group)
    with transaction.atomic():
        assert end_those_lapsed(group, [delivery.id]) == 0
    assert ack(group, delivery) == ["acked"]
    assert (counts(group), lapsed(group)) == ((0, 1, 0), [])


@pytest.mark.parametrize("options", [{}, {"is_terminal": True}, {"delay_seconds": 3_600}])
@pytest.mark.parametrize("max_failures", [1, 5])
def test_a_nack_of_what_has_expired_ends_it_and_it_is_no_dead_letter(options, max_failures):
    group = make_lease_group(max_failures=max_failures)
    produce_kinds(group, *[LATER_EXPIRED] * 3)
    delivery = lease_one(group)
    let_events_expire(group)

    assert nack(group, delivery, **options) == ["nacked"]

    assert (Delivery.objects.count(), committed(group), dead(group)) == (0, 3, [])
    assert counts(group) == (3, 3, 0)
    assert {offset for first, last, _ in lapsed(group) for offset in range(first, last + 1)} == {1, 2, 3}
    reconcile_deliveries()
    assert dead(group) == []
    # The same again is answered as before.
    assert nack(group, delivery, **options) == ["nacked"]


def test_an_ack_that_names_failed_events_ends_those_that_have_expired():
    group = make_lease_group()
    produce_kinds(group, *[LATER_EXPIRED] * 5)
    delivery = lease_one(group)
    let_events_expire(group)
    assert ack(group, delivery, failed=[2, 4]) == ["acked"]
    assert (states(group), committed(group), counts(group)) == ([], 5, (2, 5, 0))
    assert lapsed(group) == [(2, 2, 1), (4, 4, 1)]


def test_a_lease_that_runs_out_does_not_bring_back_what_has_expired():
    group = make_lease_group()
    produce_kinds(group, *[LATER_EXPIRED] * 10)
    lease(group)
    let_events_expire(group)
    let_expire(group)
    assert leased(group) == []
    assert (states(group), counts(group)) == ([], (10, 10, 0))


def test_what_is_given_back_after_it_has_expired_ends():
    group = make_lease_group()
    produce_kinds(group, LATER_EXPIRED)
    delivery = lease_one(group)
    let_events_expire(group)
    assert [each.result.value for each in release_deliveries(group=group, leases=refs(delivery))] == ["released"]
    assert (states(group), counts(group), lapsed(group)) == ([], (1, 1, 0), [(1, 1, 1)])


def test_what_expires_between_two_attempts_is_not_tried_again():
    group = make_lease_group()
    produce_kinds(group, LATER_EXPIRED)
    assert nack(group, lease_one(group), delay_seconds=60) == ["nacked"]
    let_events_expire(group)
    make_due(group)
    assert leased(group) == []
    assert (counts(group), dead(group), lapsed(group)) == ((1, 1, 0), [], [(1, 1, 1)])


def test_what_failed_alone_beside_what_expires_goes_on():
    group = make_lease_group()
    produce_kinds(group, PLAIN, LATER_EXPIRED)
    first, second = lease(group).deliveries
    let_events_expire(group)
    assert nack(group, first, second) == ["nacked", "nacked"]
    assert states(group) == [(1, 1, "waiting")]
    assert leased(group) == [1]


def test_nobody_takes_it_from_its_consumer_by_hand():
    group = make_lease_group()
    produce_kinds(group, LATER_EXPIRED)
    delivery = lease_one(group)
    let_events_expire(group)
    with pytest.raises(DeliveryNotLeased, match="expired"):
        release_delivery(group=group, delivery_id=delivery.id)
    assert ack(group, delivery) == ["acked"]


# --- by hand, redriven, sought ---------------------------------------------------------------------------


def test_nobody_can_have_it_again_by_hand():
    group = make_lease_group()
    produce_kinds(group, LATER_EXPIRED)
    nack(group, lease_one(group), delay_seconds=60)
    let_events_expire(group)
    with pytest.raises(DeliveryNotWaiting):
        retry_delivery_now(group=group, delivery_id=Delivery.objects.get().pk)


def test_a_dead_letter_that_is_redriven_does_not_expire():
    group = make_lease_group(max_failures=1)
    produce_kinds(group, LATER_EXPIRED | {"deliver_after": "2026-01-01T10:00:00Z"})
    assert nack(group, lease_one(group)) == ["nacked"]
    reconcile_deliveries()
    redrive_dead_letter(dead_letter=DeadLetter.objects.get(), requested_by="user:1")
    let_events_expire(group)
    assert leased(group) == [1]


def test_a_seek_back_passes_what_has_expired_since():
    group = make_lease_group()
    produce_kinds(group, EXPIRED, PLAIN)
    assert leased(group) == [2]
    seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.EARLIEST))
    assert leased(group) == [2]
    assert [first for first, _, _ in lapsed(group)] == [1, 1]
