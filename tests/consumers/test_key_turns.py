"""The rule of turns: of a key the first unfinished event is free, all others are held up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.key_turns import KeyTurns, Turn
from consumers.sorting import Fate, Room, Rules, Sorted, key_hash_of, sort
from streams.stored_event import Routing

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
BY_KEY = Rules(is_by_key=True)
PLENTY = Room(events=10_000, deliveries=10_000)


def event(key: str | None, **fields) -> Routing:
    return Routing(recorded_at=NOW - timedelta(minutes=1), type="t", key=key, **fields)


def sorted_out(*events: Routing, turns: KeyTurns | None = None, room: Room = PLENTY) -> Sorted:
    return sort(enumerate(events, 1), BY_KEY, first_offset=1, room=room, now=NOW, turns=turns or KeyTurns(room=10_000))


def fates(done: Sorted) -> list[str]:
    return [piece.fate.value for piece in done.pieces for _ in range(piece.event_count)]


def test_the_first_of_each_key_goes_and_the_others_are_held_up():
    assert fates(sorted_out(*map(event, "aabac"))) == ["hand_out", "held_up", "hand_out", "held_up", "hand_out"]


def test_a_key_that_is_unfinished_holds_up_all_and_one_whose_redrive_is_held_waits():
    turns = KeyTurns(unfinished={key_hash_of("a")}, held=frozenset({key_hash_of("b"), key_hash_of("a")}), room=9)
    done = sorted_out(event("a"), event("b"), event("b"), event(None), turns=turns)

    assert fates(done) == ["held_up", "later", "held_up", "hand_out"]
    assert done.pieces[1].available_at == NOW


def test_what_is_held_up_takes_no_room_of_the_answer():
    done = sorted_out(*map(event, "aaaabbc"), room=Room(events=2, deliveries=2))

    assert fates(done) == ["hand_out", "held_up", "held_up", "held_up", "hand_out", "held_up"]
    assert not done.is_stuck


def test_where_no_more_may_be_held_up_it_ends_before_the_next_that_would_be():
    done = sorted_out(*map(event, "abaab"), turns=KeyTurns(room=1))

    assert (fates(done), done.reached, done.is_stuck) == (["hand_out", "hand_out", "held_up"], 3, True)


def test_what_nobody_is_given_takes_no_turn():
    expired = event("a", expires_after=1.0)

    assert fates(sorted_out(expired, event("a"), event("a"))) == ["expired", "hand_out", "held_up"]


def test_one_for_later_holds_up_its_key_and_keeps_its_time_when_it_is_held_up_itself():
    later = event("a", deliver_after=600.0)
    done = sorted_out(later, event("a"), later)

    assert fates(done) == ["later", "held_up", "held_up"]
    assert [piece.available_at for piece in done.pieces] == [later.deliver_at, None, later.deliver_at]


@pytest.mark.parametrize("key", ["", "a", "ä", "x" * 500, "\x00"])
def test_a_hash_is_the_keys_own_and_fits_into_a_bigint(key):
    assert key_hash_of(key) == key_hash_of(key)
    assert key_hash_of(key) != key_hash_of(key + "!")
    assert -(2**63) <= key_hash_of(key) < 2**63


@given(keys=st.lists(st.sampled_from([None, "a", "b", "c"])), unfinished=st.sets(st.sampled_from("abc")))
def test_of_each_key_at_most_one_is_handed_out_and_it_is_the_first(keys, unfinished):
    turns = KeyTurns(unfinished={key_hash_of(key) for key in unfinished}, room=10_000)
    done = sorted_out(*map(event, keys), turns=turns)
    told = list(zip(keys, fates(done), strict=True))

    for key in "abc":
        own = [fate for each, fate in told if each == key]
        free = [] if key in unfinished else [Fate.HAND_OUT.value]
        assert own[:1] in ([], free or [Fate.HELD_UP.value])
        assert set(own[1:]) <= {Fate.HELD_UP.value}
    assert all(fate == Fate.HAND_OUT for key, fate in told if key is None)
    assert all(piece.event_count == 1 for piece in done.pieces if piece.key_hash is not None)


def test_what_may_be_held_up_is_counted_down():
    turns = KeyTurns(unfinished={1}, room=2)
    assert [turns.take(1, available_at=None) for _ in range(3)] == [Turn.HELD_UP, Turn.HELD_UP, Turn.NO_ROOM]
