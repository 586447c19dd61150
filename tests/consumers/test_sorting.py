"""The rule by which events are sorted before they are handed out: which stay together, and where it stops."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.conf import MAX_LEASE_EVENTS
from consumers.filters import Filter, as_stored
from consumers.sorting import Fate, Room, Rules, Sorted, key_hash_of, sort
from streams.stored_event import Routing

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PLENTY = Room(events=10_000, deliveries=10_000)


def event(type_: str = "wanted", **fields) -> Routing:
    return Routing(recorded_at=NOW - timedelta(minutes=1), type=type_, **fields)


def sorted_out(*events: Routing, rules: Rules | None = None, room: Room = PLENTY, first_offset: int = 1) -> Sorted:
    rules = rules or Rules(Filter.of({"types": ["wanted"]}))
    return sort(enumerate(events, first_offset), rules, first_offset=first_offset, room=room, now=NOW)


def told(done: Sorted) -> list[tuple[int, int, str]]:
    return [(piece.first_offset, piece.last_offset, piece.fate.value) for piece in done.pieces]


def test_neighbours_that_meet_the_same_fate_stay_together():
    done = sorted_out(event(), event(), event("other"), event("other"), event(), first_offset=11)

    assert told(done) == [(11, 12, "hand_out"), (13, 14, "filtered"), (15, 15, "hand_out")]
    assert (done.reached, done.passed) == (15, 2)


@pytest.mark.parametrize(
    ("stored", "is_let_through"),
    [
        (None, True),
        ({"types": ["wanted", "other"]}, True),
        ({"types": ["other"]}, False),
        ({"headers": {"region": "eu"}}, True),
        ({"headers": {"region": "us"}}, False),
        ({"headers": {"region": "eu", "tenant": "7"}}, True),
        ({"headers": {"region": "eu", "missing": "x"}}, False),
        ({"types": ["wanted"], "headers": {"tenant": "8"}}, False),
        ({"types": ["other"], "headers": {"tenant": "7"}}, False),
    ],
)
def test_a_filter_lets_through_what_is_of_its_types_and_has_all_of_its_headers(stored, is_let_through):
    done = sorted_out(event(headers={"region": "eu", "tenant": "7"}), rules=Rules(Filter.of(stored)))

    assert told(done) == [(1, 1, "hand_out" if is_let_through else "filtered")]


def test_filters_that_let_the_same_through_are_kept_alike():
    assert as_stored({"types": ["b", "a", "b"], "headers": {"z": "1", "a": "2"}}) == {
        "types": ["a", "b"],
        "headers": {"a": "2", "z": "1"},
    }
    assert as_stored({"types": [], "headers": {}}) is None is as_stored({}) is as_stored(None)


def test_sorting_stops_before_what_finds_no_room_but_passes_what_needs_none():
    done = sorted_out(event(), event("other"), event(), event("other"), event(), room=Room(2, 10))

    assert told(done) == [(1, 1, "hand_out"), (2, 2, "filtered"), (3, 3, "hand_out"), (4, 4, "filtered")]
    assert done.reached == 4


def test_an_answer_holds_so_many_deliveries_however_short_they_are():
    done = sorted_out(event(), event("other"), event(), event(), event("other"), event(), room=Room(10, 2))

    assert told(done)[-1] == (5, 5, "filtered")
    assert done.reached == 5


def test_what_is_for_later_waits_for_its_time_and_takes_no_room():
    in_an_hour = NOW + timedelta(hours=1)
    later = [event(deliver_after=in_an_hour) for _ in range(2)]
    done = sorted_out(*later, event(deliver_after=120.0), event(deliver_after=60.0), room=Room(1, 1))

    assert told(done) == [(1, 2, "later"), (3, 3, "later"), (4, 4, "hand_out")]
    assert [piece.available_at for piece in done.pieces] == [in_an_hour, NOW + timedelta(minutes=1), None]


def test_what_has_expired_is_passed_and_what_will_says_when():
    done = sorted_out(event(expires_after=60.0), event(expires_after=61.0), event(expires_after=61.0))

    assert told(done) == [(1, 1, "expired"), (2, 3, "hand_out")]
    assert done.pieces[1].expires_at == NOW + timedelta(seconds=1)


def test_what_its_filter_does_not_let_through_is_never_for_later():
    assert told(sorted_out(event("other", deliver_after=3600.0))) == [(1, 1, "filtered")]


def test_by_key_each_event_is_a_delivery_of_its_own_and_those_without_stay_together():
    events = (event(key="a"), event(key="a"), event(), event(), event(key="b"))
    done = sorted_out(*events, rules=Rules(is_by_key=True))

    assert told(done) == [(1, 1, "hand_out"), (2, 2, "hand_out"), (3, 4, "hand_out"), (5, 5, "hand_out")]
    assert [piece.key_hash for piece in done.pieces] == [key_hash_of("a"), key_hash_of("a"), None, key_hash_of("b")]


def test_in_order_of_each_partition_one_delivery_is_made_whether_it_is_for_now_or_for_later():
    in_order = Room(100, 100, is_in_order=True)

    now_first = sorted_out(event("other"), event(), event(), event("other"), event(), room=in_order)
    later_first = sorted_out(event(deliver_after=90.0), event(), room=in_order)

    assert told(now_first) == [(1, 1, "filtered"), (2, 3, "hand_out"), (4, 4, "filtered")]
    assert told(later_first) == [(1, 1, "later")]


events_of_any_kind = st.lists(
    st.builds(
        event,
        st.sampled_from(["wanted", "other"]),
        key=st.sampled_from([None, "a", "b"]),
        deliver_after=st.sampled_from([None, 30.0, 90.0]),
        expires_after=st.sampled_from([None, 30.0, 90.0]),
    ),
    max_size=40,
)


@given(
    events=events_of_any_kind,
    is_by_key=st.booleans(),
    room=st.builds(Room, st.integers(1, 30), st.integers(1, 10), st.booleans()),
)
def test_every_event_up_to_where_it_stopped_is_in_one_piece_and_the_room_is_kept(events, is_by_key, room):
    done = sorted_out(*events, rules=Rules(Filter.of({"types": ["wanted"]}), is_by_key), room=room)

    covered = [offset for piece in done.pieces for offset in range(piece.first_offset, piece.last_offset + 1)]
    assert covered == list(range(1, done.reached + 1))
    handed_out = [piece for piece in done.pieces if piece.fate is Fate.HAND_OUT]
    assert sum(piece.event_count for piece in handed_out) <= room.events
    assert len(handed_out) <= room.deliveries
    assert not room.is_in_order or sum(piece.is_delivered for piece in done.pieces) <= 1
    # Whoever goes on where it stopped finds what one sorting of everything would have found.
    everything = sorted_out(*events, rules=Rules(Filter.of({"types": ["wanted"]}), is_by_key))
    assert [fate_of(done, offset) for offset in covered] == [fate_of(everything, offset) for offset in covered]


def fate_of(done: Sorted, offset: int) -> Fate:
    return next(piece.fate for piece in done.pieces if piece.first_offset <= offset <= piece.last_offset)


def test_no_delivery_is_longer_than_any_may_be_but_what_nobody_is_given_may_be():
    many = [event()] * (MAX_LEASE_EVENTS + 1) + [event("other")] * (MAX_LEASE_EVENTS + 1)
    done = sorted_out(*many)

    assert [piece.event_count for piece in done.pieces] == [MAX_LEASE_EVENTS, 1, MAX_LEASE_EVENTS + 1]
