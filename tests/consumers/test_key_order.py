"""`ordering: key`: of a key one unfinished event is handed out at a time; a key that fails holds up only itself."""

from collections.abc import Iterable
from datetime import timedelta

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from consumers.models import ConsumerGroup, DeadLetter, Delivery, GroupOffset
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.groups import change_group, delete_group
from consumers.services.leasing import LeasedDelivery, expire_leases, lease_deliveries, release_deliveries
from consumers.services.leasing.lapsing import end_lapsed
from consumers.services.reconcile import reconcile_deliveries, tidy_up
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from consumers.statements import run
from streams.log import get_log
from streams.services.lifecycle import change_stream
from tests.consumers.leases import (
    ack,
    committed,
    dead,
    info,
    lease,
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


def make_key_group(**settings):
    return make_lease_group(ordering="key", **settings)


def produce_keys(group, *keys: str | None, partition: int = 0) -> None:
    produce_kinds(group, *[{"key": key} for key in keys], partition=partition)


def keys_of(deliveries: Iterable[LeasedDelivery]) -> list[str | None]:
    return [orjson.loads(event)["key"] for delivery in deliveries for event in delivery.events]


def held_up(group) -> int:
    """As it is counted, which is as it is."""
    count = sum(GroupOffset.objects.filter(group=group).values_list("held_up_count", flat=True))
    assert count == Delivery.objects.filter(group=group, state="held_up").count()
    return count


def test_of_each_key_the_first_event_is_handed_out_and_the_next_one_when_that_is_acked():
    group = make_key_group()
    produce_keys(group, "a", "a", "b", "a", "c")

    first = lease(group).deliveries
    assert offsets(first) == [1, 3, 5]
    assert lease(group).deliveries == []
    assert held_up(group) == 2

    ack(group, first[0])
    (second,) = lease(group).deliveries
    assert (offsets([second]), held_up(group)) == ([2], 1)
    ack(group, second, *first[1:])
    assert offsets(lease(group).deliveries) == [4]
    assert committed(group) == 3


def test_events_without_a_key_hold_up_nobody():
    group = make_key_group()
    produce_keys(group, None, None, "a", None, "a")

    assert offsets(lease(group).deliveries) == [1, 2, 3, 4]


def test_a_failing_key_holds_up_itself_alone_until_it_is_dead():
    group = make_key_group(backoff_seconds=(1000,), max_failures=2)
    produce_keys(group, "a", "b", "a", "b", "a")
    a, b = lease(group).deliveries
    nack(group, a)
    ack(group, b)

    (b,) = lease(group).deliveries
    assert offsets([b]) == [4]
    ack(group, b)
    assert lease(group).deliveries == []
    make_due(group)
    (a,) = lease(group).deliveries
    assert offsets([a]) == [1]
    nack(group, a)
    reconcile_deliveries()

    assert dead(group) == [(1, "max_failures")]
    assert offsets(lease(group).deliveries) == [3]


def test_an_expiry_and_a_release_keep_the_key_held_up():
    group = make_key_group()
    produce_keys(group, "a", "a")
    lease(group)
    let_expire(group)
    expire_leases(group=group)
    make_due(group)

    (again,) = lease(group).deliveries
    assert (offsets([again]), held_up(group)) == ([1], 1)
    release_deliveries(group=group, leases=refs(again))
    (again,) = lease(group).deliveries
    assert (offsets([again]), held_up(group)) == ([1], 1)
    ack(group, again)
    assert offsets(lease(group).deliveries) == [2]
    assert states(group) == [(2, 2, "leased")]


def test_two_events_of_a_key_in_one_partition_are_ordered_and_those_of_two_partitions_are_not():
    group = make_key_group(partitions=2)
    produce_keys(group, "a", "a", partition=0)
    produce_keys(group, "a", "a", partition=1)

    assert offsets(lease(group).deliveries) == [1, 1]


def test_room_is_filled_by_events_of_other_keys():
    group = make_key_group()
    produce_keys(group, *["hot"] * 50, "b", "c", "d")

    assert keys_of(lease(group, 3).deliveries) == ["hot", "b", "c"]
    assert keys_of(lease(group, 3).deliveries) == ["d"]


def test_what_a_filter_does_not_let_through_holds_up_nothing():
    group = make_key_group(filter={"types": ["wanted"]})
    produce_kinds(group, {"type": "other", "key": "a"}, {"type": "wanted", "key": "a"}, {"type": "wanted", "key": "a"})

    (first,) = lease(group).deliveries
    assert offsets([first]) == [2]
    ack(group, first)
    assert offsets(lease(group).deliveries) == [3]


def test_an_event_for_later_holds_up_its_key_and_one_behind_it_waits_for_its_own_time_too():
    group = make_key_group()
    in_an_hour = (timezone.now() + timedelta(hours=1)).isoformat()
    for_later = {"key": "a", "deliver_after": in_an_hour}
    produce_kinds(group, for_later, {"key": "a"}, {"key": "b"}, for_later)

    assert offsets(lease(group).deliveries) == [3]
    assert states(group) == [(1, 1, "waiting"), (2, 2, "held_up"), (3, 3, "leased"), (4, 4, "held_up")]
    make_due(group)
    for offset in (1, 2):
        (delivery,) = lease(group).deliveries
        assert offsets([delivery]) == [offset]
        ack(group, delivery)
    (last,) = Delivery.objects.filter(group=group, first_offset=4)
    assert last.state == "waiting"
    assert last.available_at is not None and last.available_at > timezone.now() + timedelta(minutes=59)


def test_an_event_that_has_expired_holds_up_nothing():
    group = make_key_group()
    produce_kinds(group, {"key": "a", "expires_after": -1.0}, {"key": "a"})

    assert offsets(lease(group).deliveries) == [2]


def test_what_expires_while_it_is_held_up_ends_at_once_however_many_of_its_key_there_are():
    group = make_key_group()
    produce_kinds(group, {"key": "a"}, *[{"key": "a", "expires_after": 3_600}] * 5, {"key": "a"})
    (first,) = lease(group).deliveries
    let_events_expire(group)

    assert end_lapsed(group=group) == 5

    assert states(group) == [(1, 1, "leased"), (7, 7, "held_up")]
    assert held_up(group) == 1
    ack(group, first)
    (last,) = lease(group).deliveries
    assert offsets([last]) == [7]
    ack(group, last)
    assert committed(group) == 7


def test_the_next_of_a_key_goes_when_the_one_before_it_expires():
    group = make_key_group()
    produce_kinds(group, {"key": "a", "deliver_after": 60, "expires_after": 120}, {"key": "a"})
    assert lease(group).deliveries == []
    let_events_expire(group)

    assert offsets(lease(group).deliveries) == [2]
    assert held_up(group) == 0


# --- redrives: outside of the order, but never beside another event of their key ---


def dead_letter_of_a_key(group):
    """A dead letter of the key "a", before three more of its events."""
    produce_keys(group, "a", "a", "a", "a")
    (first,) = lease(group).deliveries
    nack(group, first, is_terminal=True)
    reconcile_deliveries()
    return DeadLetter.objects.get(group=group)


def test_a_redrive_waits_while_its_keys_next_event_is_in_somebodys_hands():
    group = make_key_group()
    letter = dead_letter_of_a_key(group)
    (second,) = lease(group).deliveries
    redrive_dead_letter(dead_letter=letter, requested_by="user:1")

    assert lease(group).deliveries == []
    nack(group, second)
    # Both are due now: one of them goes, and the other one waits for it.
    both = lease(group).deliveries
    assert len(both) == 1
    assert lease(group).deliveries == []
    ack(group, *both)
    assert len(lease(group).deliveries) == 1


def test_an_event_waits_while_somebody_holds_a_redrive_of_its_key_also_one_that_was_not_sorted_yet():
    group = make_key_group()
    letter = dead_letter_of_a_key(group)
    for _ in range(3):
        ack(group, *lease(group).deliveries)
    redrive_dead_letter(dead_letter=letter, requested_by="user:1")
    (redriven,) = lease(group).deliveries
    assert redriven.dead_letter_id == letter.pk

    produce_keys(group, "a", "b")
    assert offsets(lease(group).deliveries) == [6]
    ack(group, redriven)
    assert offsets(lease(group).deliveries) == [5]


def test_a_redrive_that_waits_for_its_next_attempt_holds_up_nobody():
    group = make_key_group(backoff_seconds=(1000,))
    letter = dead_letter_of_a_key(group)
    redrive_dead_letter(dead_letter=letter, requested_by="user:1")
    nack(group, *lease(group).deliveries)
    (redriven,) = lease(group).deliveries
    assert redriven.dead_letter_id == letter.pk
    nack(group, redriven)

    Delivery.objects.filter(group=group, dead_letter=None, state="waiting").update(available_at=timezone.now())
    assert offsets(lease(group).deliveries) == [2]


# --- seek, retention, the end of the group ---


def test_a_seek_ends_what_is_held_up_too_and_begins_anew():
    group = make_key_group()
    produce_keys(group, "a", "a", "b", "a")
    lease(group)
    assert held_up(group) == 2

    seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.EARLIEST))
    assert (states(group), held_up(group)) == ([], 0)
    assert offsets(lease(group).deliveries) == [1, 3]


def test_a_seek_back_across_the_beginning_of_the_order_goes_on_from_there():
    group = make_lease_group()
    produce_keys(group, "a", "a", "a")
    ack(group, *lease(group, 2).deliveries)
    change_group(group=group, changes={"ordering": "key"})
    seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.EARLIEST))

    assert offsets(lease(group).deliveries) == [1]


def test_what_retention_took_while_it_was_held_up_is_lost_at_once_and_the_next_one_goes():
    group = make_key_group(backoff_seconds=(1000,))
    produce_keys(group, *["a"] * 30)
    produce_keys(group, *["a"] * 10)
    (first,) = lease(group).deliveries
    nack(group, first)
    get_log().trim(info(group).partition(0), keep_events=10)
    make_due(group)

    answer = lease(group)
    assert [(gap.first_offset, gap.last_offset) for gap in answer.gaps] == [(1, 1), (2, 30)]
    assert answer.lost == 30
    assert committed(group) == 30
    assert offsets(lease(group).deliveries) == [31]
    assert held_up(group) == 9


def test_a_group_is_deleted_with_what_it_holds_up():
    group = make_key_group()
    produce_keys(group, "a", "a")
    lease(group)
    delete_group(group=group, confirm=group.name)

    assert not Delivery.objects.exists()


# --- another order ---


@pytest.mark.parametrize("before", ["none", "partition"])
def test_where_the_order_becomes_that_of_keys_new_events_wait_until_the_old_ones_are_finished(before):
    group = make_lease_group(ordering=before)
    produce_keys(group, "a", "b", "c")
    old = lease(group, 2).deliveries
    change_group(group=group, changes={"ordering": "key"})

    assert lease(group).deliveries == []
    # Its failure waits as it would have.
    ack(group, *old, failed=[2])
    (again,) = lease(group).deliveries
    assert offsets([again]) == [2]
    ack(group, again)
    produce_keys(group, "c")
    assert offsets(lease(group).deliveries) == [3]
    assert held_up(group) == 1


@pytest.mark.parametrize("after", ["none", "partition"])
def test_where_the_order_of_keys_is_given_up_what_is_held_up_goes_in_the_order_that_is_kept_now(after):
    group = make_key_group()
    produce_keys(group, "a", "a", "b", "a")
    first, other = lease(group).deliveries
    change_group(group=group, changes={"ordering": after})

    assert held_up(group) == 0
    if after == "none":
        assert offsets(lease(group).deliveries) == [2, 4]
    else:
        assert lease(group).deliveries == []
        ack(group, first, other)
        assert offsets(lease(group).deliveries) == [2]
    produce_keys(group, "a")
    assert not Delivery.objects.filter(key_hash__isnull=False).exists()


def test_a_process_that_has_not_heard_of_the_order_yet_hands_out_nothing_new_and_forgets_nobody():
    group = make_lease_group()
    uninformed = ConsumerGroup.objects.select_related("stream").get(pk=group.pk)
    change_group(group=group, changes={"ordering": "key"})
    produce_keys(group, "a", "a")

    assert lease_deliveries(stream=info(group), group=uninformed, consumer="w", max_events=10).deliveries == [], (
        "it would hand out both"
    )
    (first,) = lease(group).deliveries
    ack(uninformed, first)
    assert offsets(lease(group).deliveries) == [2]


def test_what_was_forgotten_between_two_statements_is_let_go_by_the_tick():
    group = make_key_group()
    produce_keys(group, "a", "a", "b", "b")
    first, _ = lease(group).deliveries
    run("finish_deliveries", group_id=group.pk, delivery_ids=[first.id], tokens=[first.token])
    assert lease(group).deliveries == []

    tidy_up()
    assert offsets(lease(group).deliveries) == [2]
    assert held_up(group) == 1


# --- bounds and fairness ---


def test_where_too_many_are_held_up_nothing_more_is_sorted_until_some_have_gone(settings):
    settings.MAX_HELD_UP = 3
    group = make_key_group()
    produce_keys(group, *["a"] * 6, "b")

    (first,) = lease(group).deliveries
    assert (held_up(group), lease(group).deliveries) == (3, [])
    ack(group, first)
    (second,) = lease(group).deliveries
    assert (offsets([second]), held_up(group)) == ([2], 3)
    ack(group, second)
    # What comes behind them is reached in the end.
    assert sorted(offsets([*lease(group).deliveries, *lease(group).deliveries])) == [3, 7]


def test_cold_keys_do_not_wait_for_a_hot_one():
    group = make_key_group()
    produce_keys(group, *["hot"] * 10_000, *[f"cold-{n}" for n in range(100)])

    taken = 0
    seen: list[str | None] = []
    while len(set(seen)) < 101:
        taken += 1
        deliveries = lease(group).deliveries
        seen += keys_of(deliveries)
        ack(group, *deliveries)
        assert taken < 100
    # Of the hot key one event for each answer, at most.
    assert seen.count("hot") <= taken
    assert held_up(group) > 9_000


def test_a_hot_key_is_not_starved_by_many_cold_ones():
    group = make_key_group()
    for burst in range(10):
        produce_keys(group, "hot", "hot", *[f"cold-{burst}-{n}" for n in range(50)])
    seen: list[str | None] = []
    for _ in range(60):
        deliveries = lease(group, 10).deliveries
        seen += keys_of(deliveries)
        ack(group, *deliveries)

    assert len(seen) == 520
    # It goes on while the cold ones still come.
    assert seen[:400].count("hot") >= 10


def test_partitions_that_are_added_keep_the_order_from_their_beginning():
    group = make_key_group()
    change_stream(stream=group.stream, changes={"partition_count": 2}, now=timezone.now(), confirm=group.stream.name)
    produce_keys(group, "a", "a", partition=1)

    assert offsets(lease(group).deliveries) == [1]


def test_keys_that_are_finished_leave_nothing_behind():
    group = make_key_group()
    produce_keys(group, *[f"k{n}" for n in range(300)])
    while deliveries := lease(group).deliveries:
        ack(group, *deliveries)

    assert not Delivery.objects.exists()
    assert committed(group) == 300


@pytest.mark.parametrize(("before", "after"), [("none", "key"), ("key", "none")])
def test_a_lease_of_a_process_that_has_not_heard_yet_hears_of_it_while_it_waits(before, after):
    group = make_lease_group(ordering=before, filter={"types": ["t"]})
    uninformed = ConsumerGroup.objects.select_related("stream").get(pk=group.pk)
    change_group(group=group, changes={"ordering": after})
    produce_keys(group, "a", "a")

    leased = lease_deliveries(stream=info(group), group=uninformed, consumer="w", max_events=10, wait_seconds=3)
    assert offsets(leased.deliveries) == ([1] if after == "key" else [1, 2])


def test_a_partition_that_is_full_of_what_is_held_up_keeps_no_other_one_waiting(settings):
    settings.MAX_HELD_UP = 3
    group = make_key_group(partitions=2)
    produce_keys(group, *["a"] * 20, partition=0)
    lease(group)
    produce_keys(group, "b", "c", partition=1)

    assert keys_of(lease(group).deliveries) == ["b", "c"]


def test_who_waits_while_all_is_full_looks_now_and_then(settings):
    settings.MAX_HELD_UP = 3
    group = make_key_group(partitions=3)
    for partition in range(3):
        produce_keys(group, *["a"] * 20, partition=partition)
    lease(group)
    assert lease(group).deliveries == []

    with CaptureQueriesContext(connection) as queries:
        assert lease(group, wait_seconds=1.5).deliveries == []
    assert len(queries) < 100
