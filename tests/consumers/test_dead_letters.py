"""Dead letters: exactly one for each event, group and round, with the event, its attempts, and what became of it."""

import orjson
import pytest

from consumers.errors import DeadLetterNotOpen, DeadLetterWithoutEvent, WrongMode
from consumers.isolation import FailedEvent
from consumers.models import DeadLetter, Delivery, Redrive
from consumers.services.dead_letters.close import discard_dead_letter, resolve_dead_letter
from consumers.services.dead_letters.move import move_exhausted
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.dead_letters.report import report_dead_letter
from consumers.services.reconcile import reconcile_deliveries
from streams.errors import EventExpired, EventNotFound
from streams.log import get_log
from streams.log.protocol import PartitionAppend
from tests.consumers.leases import (
    ack,
    committed,
    dead,
    info,
    lease,
    lease_one,
    make_lease_group,
    nack,
    offsets,
    produce,
    states,
)
from tests.factories import make_group, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")


def give_up_on(group, *events, error="broken 42"):
    """Lease everything and fail some events for good."""
    failed = [FailedEvent(offset, error, is_terminal=True) for offset in events]
    ack(group, lease_one(group), failed=failed)
    reconcile_deliveries()
    return list(DeadLetter.objects.filter(group=group, offset__in=events).order_by("offset"))


# --- moving ---


def test_a_dead_letter_has_the_event_the_reason_the_counts_and_the_attempts():
    group = make_lease_group(max_failures=2)
    produce(group, 3)
    ack(group, lease_one(group, consumer="one"), failed=[2])
    nack(group, lease_one(group, consumer="two"), error="Timeout after 31 ms")
    reconcile_deliveries()

    (found,) = DeadLetter.objects.all()
    event = get_log().read(info(group).partition(0), after=1, max_events=1, max_bytes=1).events[0]
    assert bytes(found.event) == event
    assert (found.event_id, found.event_type, found.event_key) == ("2", "t", "")
    assert (found.reason, found.status, found.delivery_count, found.failure_count) == ("max_failures", "open", 2, 2)
    assert found.last_error == "Timeout after 31 ms"
    told = found.attempts.values_list("number", "outcome", "consumer", "error")
    assert list(told) == [(1, "nacked", "one", "broken"), (2, "nacked", "two", "Timeout after 31 ms")]
    assert committed(group) == 3


def test_errors_that_differ_only_in_numbers_have_one_fingerprint():
    group = make_lease_group()
    produce(group, 3)
    failed = [FailedEvent(n, f"Timeout after {n} ms: 0x{n}f", is_terminal=True) for n in (1, 2)]
    ack(group, lease_one(group), failed=[*failed, FailedEvent(3, "other", is_terminal=True)])
    reconcile_deliveries()

    first, second, third = DeadLetter.objects.order_by("offset").values_list("error_fingerprint", flat=True)
    assert first == second != third


def test_moving_again_changes_nothing():
    group = make_lease_group()
    produce(group, 5)
    give_up_on(group, 2, 4)

    assert reconcile_deliveries() == 0
    assert move_exhausted(group=group) == 0
    assert dead(group) == [(2, "terminal"), (4, "terminal")]


def test_a_large_range_is_moved_in_steps():
    group = make_lease_group()
    produce(group, 12, size=900_000)
    for _ in range(2):
        nack(group, lease_one(group, 12), is_terminal=True)

    assert 0 < move_exhausted(group=group) < 12
    reconcile_deliveries()
    assert [offset for offset, _ in dead(group)] == list(range(1, 13))
    assert all(each.event for each in DeadLetter.objects.all())
    assert (states(group), committed(group)) == ([], 12)


def test_retention_of_the_stream_leaves_dead_letters_alone():
    group = make_lease_group()
    produce(group, 3)
    (found,) = give_up_on(group, 2)
    produce(group, 3)
    get_log().trim(info(group).partition(0), keep_events=3)

    found.refresh_from_db()
    assert orjson.loads(bytes(found.event))["payload"]["n"] == 2
    redrive_dead_letter(dead_letter=found, requested_by="user:1")
    assert 2 in offsets(lease(group).deliveries)


def test_an_event_that_retention_took_before_its_copy_is_a_dead_letter_all_the_same():
    group = make_lease_group()
    produce(group, 3)
    produce(group, 3)
    nack(group, lease_one(group, 2), is_terminal=True)
    get_log().trim(info(group).partition(0), keep_events=3)
    reconcile_deliveries()

    assert dead(group) == [(1, "terminal"), (2, "terminal")]
    found = DeadLetter.objects.first()
    assert found.event is None
    with pytest.raises(DeadLetterWithoutEvent):
        redrive_dead_letter(dead_letter=found, requested_by="user:1")
    resolve_dead_letter(dead_letter=found, requested_by="user:1")


def test_nul_in_an_event_or_an_error_does_not_stop_the_move():
    group = make_lease_group()
    record = rb'{"id":"a\u0000b","type":"t","key":"k\u0000","occurred_at":null,"headers":{},"payload":"\u0000"}'
    get_log().append([PartitionAppend(info(group).partition(0), [record])])
    nack(group, lease_one(group), error="bad \x00 byte", is_terminal=True)
    reconcile_deliveries()

    found = DeadLetter.objects.get()
    assert (found.event_id, found.event_key, found.last_error) == ("a\ufffdb", "k\ufffd", "bad \ufffd byte")
    assert rb'"payload":"\u0000"' in bytes(found.event)


# --- redrive ---


def test_a_redrive_goes_to_its_own_group_only_and_is_resolved_by_the_ack():
    group = make_lease_group()
    other = make_lease_group(stream=group.stream)
    produce(group, 3)
    (found,) = give_up_on(group, 2)
    ack(other, lease_one(other))

    redrive_dead_letter(dead_letter=found, requested_by="user:7", note="fixed")

    assert lease(other).deliveries == []
    again = lease_one(group)
    assert (offsets([again]), again.round, again.dead_letter_id, again.delivery_count) == ([2], 1, found.pk, 1)
    found.refresh_from_db()
    assert found.status == "redriven"
    ack(group, again)
    found.refresh_from_db()
    (redrive,) = found.redrives.all()
    assert (found.status, redrive.outcome, redrive.requested_by, redrive.note) == (
        "resolved",
        "acked",
        "user:7",
        "fixed",
    )
    assert (committed(group), states(group)) == (3, [])


def test_a_redrive_gives_the_event_as_it_was_byte_for_byte():
    group = make_lease_group()
    produce(group, 1)
    first = lease_one(group)
    nack(group, first, is_terminal=True)
    reconcile_deliveries()
    redrive_dead_letter(dead_letter=DeadLetter.objects.get(), requested_by="user:1")

    assert lease_one(group).events == first.events


def test_a_second_redrive_is_refused_and_changes_nothing():
    group = make_lease_group()
    produce(group, 3)
    (found,) = give_up_on(group, 2)
    redrive_dead_letter(dead_letter=found, requested_by="user:1")

    for verb in (redrive_dead_letter, discard_dead_letter, resolve_dead_letter):
        with pytest.raises(DeadLetterNotOpen):
            verb(dead_letter=found, requested_by="user:1")
    assert Delivery.objects.count() == Redrive.objects.count() == 1


def test_a_redrive_may_edit_the_payload_and_what_changed_is_recorded():
    group = make_lease_group()
    produce(group, 1)
    (found,) = give_up_on(group, 1)

    payload = b'{"n": 1.0, "x":"", "new": [10000000000000000000000000000001, 1e400]}'
    redrive_dead_letter(dead_letter=found, requested_by="user:1", payload=payload)

    (event,) = lease_one(group).events
    before = bytes(found.event)
    edited_part = event.rindex(b',"edited":{"by":"user:1",')
    assert event[:edited_part] + b"}" == before.replace(b'{"n":1,"x":""}', payload)
    redrive = Redrive.objects.get()
    assert orjson.loads(redrive.difference) == [
        {"pointer": "/n", "before": "1", "after": "1.0"},
        {"pointer": "/new", "before": None, "after": "[10000000000000000000000000000001,1e400]"},
    ]
    found.refresh_from_db()
    assert bytes(found.event) == before


def test_a_redrive_that_dies_again_is_a_dead_letter_of_the_next_round():
    group = make_lease_group()
    produce(group, 3)
    (found,) = give_up_on(group, 2)
    redrive_dead_letter(dead_letter=found, requested_by="user:1", payload=b"17")
    nack(group, lease_one(group), error="still", is_terminal=True)
    reconcile_deliveries()

    first, second = DeadLetter.objects.order_by("round")
    assert [(each.round, each.status) for each in (first, second)] == [(0, "redriven"), (1, "open")]
    assert first.redrives.get().outcome == "dead_again"
    assert orjson.loads(bytes(second.event))["payload"] == 17
    assert [attempt.error for attempt in second.attempts.all()] == ["still"]
    redrive_dead_letter(dead_letter=second, requested_by="user:1")
    ack(group, lease_one(group))
    second.refresh_from_db()
    assert (second.status, second.redrives.get().round) == ("resolved", 2)


def test_a_redrive_does_not_hold_the_committed_offset_back():
    group = make_lease_group()
    produce(group, 3)
    (found,) = give_up_on(group, 2)
    redrive_dead_letter(dead_letter=found, requested_by="user:1")
    produce(group, 2)
    for delivery in lease(group).deliveries:
        if delivery.dead_letter_id is None:
            ack(group, delivery)

    assert committed(group) == 5
    assert states(group) == [(2, 2, "leased")]


def test_a_redrive_in_an_ordered_group_goes_beside_the_order_but_never_at_the_same_time():
    group = make_lease_group(ordering="partition")
    produce(group, 3)
    (found,) = give_up_on(group, 2)
    produce(group, 2)
    redrive_dead_letter(dead_letter=found, requested_by="user:1")

    again = lease_one(group)
    assert again.dead_letter_id == found.pk
    assert lease(group).deliveries == []
    nack(group, again, delay_seconds=600.0)
    assert offsets(lease(group).deliveries) == [4, 5]


def test_discarding_keeps_the_copy_and_who_did_it():
    group = make_lease_group()
    produce(group, 3)
    (found,) = give_up_on(group, 2)

    discard_dead_letter(dead_letter=found, requested_by="key:abc", note="test data")

    found.refresh_from_db()
    assert (found.status, found.closed_by, found.note) == ("discarded", "key:abc", "test data")
    assert found.closed_at is not None
    assert found.event is not None
    assert lease(group).deliveries == []


# --- offset mode ---


def test_an_offset_mode_consumer_parks_an_event_and_goes_on():
    group = make_group(make_stream())
    produce(group, 3)

    parked, is_new = report_dead_letter(
        stream=info(group), group=group, partition=0, offset=2, error="no such customer", reporter="key:k"
    )
    same, is_new_again = report_dead_letter(
        stream=info(group), group=group, partition=0, offset=2, error="again", reporter="key:k"
    )

    assert (is_new, is_new_again, same.pk) == (True, False, parked.pk)
    assert (parked.reason, parked.reported_by, parked.last_error) == ("reported", "key:k", "no such customer")
    assert orjson.loads(bytes(parked.event))["payload"]["n"] == 2
    assert committed(group) == 0


def test_what_was_dealt_with_may_be_parked_again():
    group = make_group(make_stream())
    produce(group, 3)
    options = {"stream": info(group), "group": group, "partition": 0, "offset": 2, "error": "", "reporter": "key:k"}
    parked, _ = report_dead_letter(**options)
    resolve_dead_letter(dead_letter=parked, requested_by="user:1")

    again, is_new = report_dead_letter(**options)
    assert (is_new, again.round) == (True, 1)


def test_an_offset_mode_group_cannot_be_sent_an_event():
    group = make_group(make_stream())
    produce(group, 3)
    parked, _ = report_dead_letter(stream=info(group), group=group, partition=0, offset=2, error="", reporter="k")

    with pytest.raises(WrongMode, match="resolve"):
        redrive_dead_letter(dead_letter=parked, requested_by="user:1")
    parked.refresh_from_db()
    assert parked.status == "open"


def test_parking_needs_an_event_that_is_there_and_a_group_that_commits():
    group = make_group(make_stream())
    produce(group, 3)
    produce(group, 3)
    get_log().trim(info(group).partition(0), keep_events=3)
    options = {"stream": info(group), "group": group, "partition": 0, "error": "", "reporter": "k"}

    with pytest.raises(EventNotFound):
        report_dead_letter(offset=7, **options)
    with pytest.raises(EventExpired):
        report_dead_letter(offset=1, **options)
    with pytest.raises(WrongMode):
        report_dead_letter(**{**options, "group": make_lease_group(stream=group.stream)}, offset=5)
