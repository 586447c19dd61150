"""What happened to this event? The timeline tells it for every group, in a constant number of queries."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from consumers.isolation import FailedEvent
from consumers.models import DeadLetter, GroupOffset
from consumers.services.dead_letters.close import discard_dead_letter
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.dead_letters.report import report_dead_letter
from consumers.services.leasing import expire_leases
from consumers.services.offsets import commit_offsets
from consumers.services.reconcile import reconcile_deliveries
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from consumers.timeline import get_timeline
from streams.errors import EventNotFound
from streams.log import get_log
from tests.consumers.leases import (
    ack,
    info,
    lease,
    lease_one,
    let_events_expire,
    let_expire,
    make_due,
    make_lease_group,
    nack,
    produce,
    produce_kinds,
)
from tests.factories import make_group

pytestmark = pytest.mark.usefixtures("db_with_commits")


def state(group, offset):
    (found,) = [each for each in get_timeline(info(group), 0, offset).groups if each.group == group]
    return found.state.value


def test_an_event_on_its_way_through_a_group():
    group = make_lease_group(max_failures=3, backoff_seconds=(60,))
    produce(group, 4)
    assert state(group, 2) == "not_handed_out"
    delivery = lease_one(group, 3, consumer="first")
    assert state(group, 2) == "leased"
    ack(group, delivery, failed=[FailedEvent(2, "one")])
    assert [state(group, offset) for offset in (1, 2, 3, 4)] == ["acked", "waiting", "acked", "not_handed_out"]
    ack(group, lease_one(group, 1))
    make_due(group)
    nack(group, lease_one(group, 1), error="two")
    make_due(group)
    lease(group, 1)
    let_expire(group)
    expire_leases(group=group)
    assert state(group, 2) == "exhausted"
    reconcile_deliveries()
    assert state(group, 2) == "dead_lettered"
    redrive_dead_letter(dead_letter=DeadLetter.objects.get(offset=2), requested_by="user:1")
    assert state(group, 2) == "waiting"

    (told,) = get_timeline(info(group), 0, 2).groups
    assert [(row.outcome, row.error[:3]) for row in told.history] == [
        ("nacked", "one"),
        ("nacked", "two"),
        ("expired", "The"),
    ]
    assert told.delivery.dead_letter_id == told.dead_letters[0].pk
    ack(group, lease_one(group))
    assert state(group, 2) == "resolved"


def test_a_discarded_dead_letter_is_said_to_be_discarded():
    group = make_lease_group()
    produce(group, 1)
    nack(group, lease_one(group), is_terminal=True)
    reconcile_deliveries()
    discard_dead_letter(dead_letter=DeadLetter.objects.get(), requested_by="user:1")

    assert state(group, 1) == "discarded"


def test_what_the_group_never_had_is_not_said_to_be_acked():
    early = make_lease_group()
    produce(early, 5)
    produce(early, 5)
    late = make_lease_group(stream=early.stream, start="latest")
    sought = make_lease_group(stream=early.stream)
    seek_group(stream=info(early), group=sought, target=SeekTarget(SeekTo.LATEST))
    get_log().trim(info(early).partition(0), keep_events=5)
    lease(early)

    assert (state(late, 2), state(sought, 2), state(early, 2)) == ("skipped", "skipped", "lost")
    assert not get_timeline(info(early), 0, 2).is_kept
    seek_group(stream=info(early), group=late, target=SeekTarget(SeekTo.EARLIEST))
    ack(late, lease_one(late))
    assert state(late, 7) == "acked"


def test_a_seek_back_forgets_nothing_but_begins_anew():
    group = make_lease_group()
    produce(group, 2)
    nack(group, lease_one(group), is_terminal=True)
    reconcile_deliveries()
    seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.EARLIEST))
    assert state(group, 1) == "not_handed_out"
    ack(group, lease_one(group))
    assert state(group, 1) == "acked"
    assert len(get_timeline(info(group), 0, 1).groups[0].dead_letters) == 1


def test_a_dead_letter_that_a_seek_has_left_behind_is_still_one():
    group = make_lease_group()
    produce(group, 4)
    nack(group, lease_one(group, 2), is_terminal=True)
    reconcile_deliveries()
    redrive_dead_letter(dead_letter=DeadLetter.objects.get(offset=2), requested_by="user:1")

    seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.LATEST))

    assert [state(group, offset) for offset in (1, 2, 3)] == ["dead_lettered", "waiting", "skipped"]
    nack(group, lease_one(group), is_terminal=True)
    reconcile_deliveries()
    assert state(group, 2) == "dead_lettered"


def seek(group, offset):
    seek_group(stream=info(group), group=group, target=SeekTarget(SeekTo.OFFSET, offset=offset))


def test_what_was_passed_by_and_is_handed_out_after_all_is_told_as_any_other():
    group = make_lease_group()
    produce(group, 10)
    seek(group, 8)
    seek(group, 4)
    ack(group, lease_one(group, 2))
    assert [state(group, offset) for offset in (1, 4, 5, 6, 7)] == [
        "skipped",
        "skipped",
        "acked",
        "acked",
        "not_handed_out",
    ]


def test_a_seek_forward_passes_by_only_what_was_not_finished():
    group = make_lease_group(backoff_seconds=(60,))
    produce(group, 10)
    lease_one(group, 1)
    ack(group, lease_one(group, 3))
    nack(group, lease_one(group, 1))
    seek(group, 8)
    told = {offset: state(group, offset) for offset in range(1, 10)}
    assert [offset for offset in told if told[offset] == "skipped"] == [1, 5, 6, 7, 8]
    assert [told[offset] for offset in (2, 3, 4, 9)] == ["acked", "acked", "acked", "not_handed_out"]


def test_what_is_passed_by_in_very_many_pieces_is_told_in_one_from_some_piece_on(monkeypatch):
    monkeypatch.setattr("consumers.services.seek.MAX_PASSED_RANGES", 2)
    group = make_lease_group(backoff_seconds=(60,))
    produce(group, 8)
    for _ in range(4):
        lease_one(group, 1)
        ack(group, lease_one(group, 1))
    seek(group, 8)
    told = {offset: state(group, offset) for offset in range(1, 9)}
    assert [offset for offset in told if told[offset] == "skipped"] == [1, 3, 5, 6, 7, 8]
    assert told[2] == told[4] == "acked"


def test_of_what_a_seek_leaves_behind_that_is_lost_which_counts_as_lost():
    group = make_lease_group()
    produce(group, 5)
    produce(group, 5)
    get_log().trim(info(group).partition(0), keep_events=5)
    seek(group, 8)
    assert GroupOffset.objects.get(group=group).lost_count == 5
    assert [state(group, offset) for offset in (1, 5, 6, 8, 9)] == [
        "lost",
        "lost",
        "skipped",
        "skipped",
        "not_handed_out",
    ]


@pytest.mark.parametrize("goal", [3, 8])
def test_a_dead_letter_is_told_to_be_one_wherever_the_group_went_since(goal):
    group = make_lease_group()
    produce(group, 10)
    nack(group, lease_one(group, 1), is_terminal=True)
    reconcile_deliveries()
    ack(group, lease_one(group, 4))
    seek(group, goal)
    assert state(group, 1) == "dead_lettered"


def test_what_a_filter_does_not_let_through_is_not_said_to_be_acked():
    group = make_lease_group(filter={"types": ["wanted"], "headers": {"region": "eu"}})
    europe = {"headers": {"region": "eu"}}
    produce_kinds(group, {"type": "other"} | europe, {"type": "wanted"} | europe, {"type": "wanted"}, {"type": "other"})
    assert state(group, 1) == "not_handed_out"
    ack(group, lease_one(group))
    assert [state(group, offset) for offset in (1, 2, 3, 4)] == ["filtered", "acked", "filtered", "filtered"]
    # Which headers an erased event had is not known any more.
    for offset in (2, 4):
        get_log().erase(info(group).partition(0), offset, at=timezone.now())
    assert [state(group, offset) for offset in (2, 4)] == ["acked", "filtered"]
    get_log().trim(info(group).partition(0), keep_events=0)
    assert state(group, 1) == "acked"


def test_offset_mode_groups_are_told_too():
    leasing = make_lease_group()
    group = make_group(leasing.stream)
    produce(group, 3)
    commit_offsets(stream=info(group), group=group, offsets={0: 2})
    report_dead_letter(stream=info(group), group=group, partition=0, offset=2, error="", reporter="k")

    assert [state(group, offset) for offset in (1, 2, 3)] == ["committed", "dead_lettered", "not_committed"]


def test_beyond_the_head_there_is_nothing_to_tell():
    group = make_lease_group()
    produce(group, 1)
    with pytest.raises(EventNotFound):
        get_timeline(info(group), 0, 2)


def test_queries_do_not_grow_with_the_groups():
    first = make_lease_group()
    produce(first, 3)
    stream = info(first)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            get_timeline(stream, 0, 1)
        counts.append(len(queries))
        for _ in range(5):
            nack(group := make_lease_group(stream=first.stream), lease_one(group), is_terminal=True)
        reconcile_deliveries()
    with CaptureQueriesContext(connection) as queries:
        assert len(get_timeline(stream, 0, 1).groups) == 11
    # One more at most: redrives are asked for where there are dead letters.
    assert len(queries) <= counts[0] + 1


def test_an_event_for_later_is_scheduled_until_it_is_due():
    group = make_lease_group()
    produce_kinds(group, {"deliver_after": 3_600})
    assert state(group, 1) == "not_handed_out"
    lease(group)
    assert state(group, 1) == "scheduled"
    make_due(group)
    assert state(group, 1) == "waiting"
    ack(group, lease_one(group))
    assert state(group, 1) == "acked"


def test_an_event_that_expired_is_told_to_have_done_so():
    group = make_lease_group()
    produce_kinds(
        group, {"expires_after": 0.001}, {"expires_after": 3_600}, {"deliver_after": 60, "expires_after": 120}
    )
    nack(group, lease_one(group), delay_seconds=60)
    assert [state(group, offset) for offset in (1, 2, 3)] == ["expired", "waiting", "scheduled"]
    let_events_expire(group)
    reconcile_deliveries()
    assert [state(group, offset) for offset in (1, 2, 3)] == ["expired"] * 3
    (told,) = get_timeline(info(group), 0, 2).groups
    assert [row.outcome for row in told.history] == ["nacked", "lapsed"]
