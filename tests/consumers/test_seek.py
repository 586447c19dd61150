"""Seek moves committed offsets on purpose, and fences off what is in flight."""

from datetime import UTC, datetime, timedelta

import pytest

from consumers.errors import OffsetBeyondHead
from consumers.models import DeadLetter, GroupOffset
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.offsets import commit_offsets
from consumers.services.reconcile import reconcile_deliveries
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from streams.errors import PartitionRequired
from streams.log import get_log
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


def seek(group, to, **options):
    target = to if isinstance(to, SeekTarget) else SeekTarget(SeekTo(to))
    return seek_group(stream=info(group), group=group, target=target, **options)


def at(offset):
    return SeekTarget(SeekTo.OFFSET, offset=offset)


def test_offset_mode_goes_back_and_forth():
    group = make_group(make_stream())
    produce(group, 10)
    commit_offsets(stream=info(group), group=group, offsets={0: 6})

    (back,) = seek(group, at(2))
    assert (back.from_offset, back.to_offset, back.events_affected, committed(group)) == (6, 2, 4, 2)
    (forth,) = seek(group, "latest")
    assert (forth.from_offset, forth.to_offset, forth.events_affected, committed(group)) == (2, 10, 8, 10)
    seek(group, "earliest")
    assert committed(group) == 0


def test_a_dry_run_only_tells():
    group = make_lease_group()
    produce(group, 10)
    delivery = lease_one(group, 4)

    (told,) = seek(group, "latest", is_dry_run=True)

    assert (told.from_offset, told.to_offset, told.events_affected, told.deliveries_fenced) == (0, 10, 10, 1)
    assert (states(group), committed(group)) == ([(1, 4, "leased")], 0)
    assert ack(group, delivery) == ["acked"]


def test_a_seek_to_a_moment_goes_on_with_the_first_event_from_then_on():
    group = make_group(make_stream())
    produce(group, 3)
    middle = datetime.now(UTC)
    produce(group, 3)

    seek(group, SeekTarget(SeekTo.TIMESTAMP, timestamp=middle))
    assert committed(group) == 3
    seek(group, SeekTarget(SeekTo.TIMESTAMP, timestamp=middle + timedelta(days=1)))
    assert committed(group) == 6


def test_all_partitions_move_unless_one_is_named():
    group = make_lease_group(partitions=2)
    produce(group, 4, partition=0)
    produce(group, 6, partition=1)

    seek(group, "latest", partition=1)
    assert (committed(group, 0), committed(group, 1)) == (0, 6)
    assert [result.to_offset for result in seek(group, "latest")] == [4, 6]
    with pytest.raises(PartitionRequired):
        seek(group, at(1))


def test_nothing_is_sought_beyond_the_head_or_before_what_is_kept():
    group = make_group(make_stream())
    produce(group, 5)
    produce(group, 5)
    get_log().trim(info(group).partition(0), keep_events=5)

    with pytest.raises(OffsetBeyondHead):
        seek(group, at(11))
    assert seek(group, at(2))[0].to_offset == 5


def test_leases_in_flight_are_lost_and_their_events_handed_out_again():
    group = make_lease_group()
    produce(group, 10)
    ack(group, lease_one(group, 3))
    lost = lease_one(group, 4)

    (result,) = seek(group, "earliest")

    assert result.deliveries_fenced == 1
    assert ack(group, lost) == ["lease_lost"]
    again = lease_one(group, 100)
    assert (offsets([again]), again.delivery_count, again.round) == (list(range(1, 11)), 1, 1)
    ack(group, again)
    assert (committed(group), states(group)) == (10, [])


def test_seeking_forward_passes_over_what_waits():
    group = make_lease_group(backoff_seconds=(1000,))
    produce(group, 10)
    nack(group, lease_one(group, 4))

    seek(group, at(8))

    assert (states(group), committed(group)) == ([], 8)
    assert offsets([lease_one(group)]) == [9, 10]


def test_what_was_given_up_on_before_a_seek_forward_still_becomes_a_dead_letter():
    group = make_lease_group()
    produce(group, 5)
    nack(group, lease_one(group, 2), is_terminal=True)

    seek(group, "latest")
    reconcile_deliveries()

    assert (dead(group), committed(group)) == ([(1, "terminal"), (2, "terminal")], 5)


def test_what_was_given_up_on_across_the_goal_is_dead_before_it_and_handed_out_again_after_it():
    group = make_lease_group()
    produce(group, 6)
    nack(group, lease_one(group, 4), is_terminal=True)

    seek(group, at(2))
    reconcile_deliveries()

    assert (dead(group), committed(group)) == ([(1, "terminal"), (2, "terminal")], 2)
    assert offsets(lease(group).deliveries) == [3, 4, 5, 6]


def test_seeking_back_resolves_the_dead_letters_of_what_is_handed_out_again():
    group = make_lease_group()
    produce(group, 4)
    nack(group, lease_one(group, 3), is_terminal=True)
    reconcile_deliveries()
    third = DeadLetter.objects.get(offset=3)
    redrive_dead_letter(dead_letter=third, requested_by="user:1")
    in_flight = [each for each in lease(group).deliveries if each.dead_letter_id]

    (result,) = seek(group, at(1))

    assert (result.dead_letters_resolved, result.deliveries_fenced) == (2, 2)
    assert ack(group, *in_flight) == ["lease_lost"]
    assert list(DeadLetter.objects.order_by("offset").values_list("status", flat=True)) == [
        "open",
        "resolved",
        "resolved",
    ]
    assert third.redrives.get().outcome == "superseded"
    assert offsets(lease(group).deliveries) == [2, 3, 4]


def test_an_event_that_dies_again_after_a_seek_is_a_dead_letter_of_a_round_of_its_own():
    group = make_lease_group()
    produce(group, 2)
    for _ in range(3):
        nack(group, lease_one(group), is_terminal=True)
        reconcile_deliveries()
        for found in DeadLetter.objects.filter(status="open", offset=1):
            redrive_dead_letter(dead_letter=found, requested_by="user:1")
        nack(group, lease_one(group), is_terminal=True)
        reconcile_deliveries()
        seek(group, "earliest")

    rounds = DeadLetter.objects.filter(offset=1).order_by("round").values_list("round", flat=True)
    assert len(set(rounds)) == len(rounds) == 6
    assert GroupOffset.objects.get().round > max(rounds)
