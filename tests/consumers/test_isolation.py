"""One bad event never takes its neighbours along, and is found within a bounded number of crashes."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.isolation import (
    FailedEvent,
    HeldRange,
    Limits,
    after_expiry,
    after_nack,
    after_named_failures,
    after_release,
    cut,
    piece_count,
)
from consumers.states import DeliveryState, ExhaustedReason
from tests.consumers.played_group import Part, PlayedGroup, count

LIMITS = Limits(max_failures=5, max_deliveries=20)


def held(
    first: int = 1,
    last: int = 500,
    *,
    deliveries: int = 1,
    failures: int = 0,
    alone: bool = False,
    suspect_limit: int = 0,
) -> HeldRange:
    return HeldRange(first, last, deliveries, failures, alone, suspect_limit, answer_count=last - first + 1)


def most_deliveries(limits: Limits, events: int) -> int:
    """How often an event is delivered at most that kills its consumer every time: what consumers/isolation.py says."""
    by_cutting = 1 + next(digits for digits in range(9) if 10**digits >= events)
    return min(max(limits.max_failures, 3, by_cutting), max(limits.max_deliveries, 2))


def test_five_crashes_isolate_one_of_500_events_and_most_neighbours_fail_once():
    group = PlayedGroup(LIMITS, new_events=500, max_events=500)

    group.consume(killers=[321])

    assert (group.crashes.pop(321), group.dead) == (5, [321])
    assert [sum(1 for crashes in group.crashes.values() if crashes == n) for n in (1, 2, 3, 4)] == [
        500 - 100,
        80,
        16,
        3,
    ]


def test_a_group_that_allows_two_failures_finds_one_of_176_after_four_crashes():
    group = PlayedGroup(Limits(2, 20), new_events=176, max_events=200)

    group.consume(killers=[100])

    assert (group.crashes[100], group.dead) == (4, [100])


@pytest.mark.parametrize("max_failures", [1, 2, 3, 5])
@pytest.mark.parametrize("events", [10, 176, 1_000])
def test_after_a_restart_that_no_event_caused_ten_answers_bring_all_of_it(max_failures, events):
    group = PlayedGroup(Limits(max_failures, 20), new_events=events, max_events=1_000)
    group.expire(group.lease())
    group.answers = 0

    group.consume()

    assert group.answers <= 10
    assert (sorted(group.acked), group.dead) == (list(range(1, events + 1)), [])


def test_what_is_new_does_not_wait_for_what_is_under_suspicion():
    group = PlayedGroup(Limits(2, 20), new_events=176, max_events=200)
    group.expire(group.lease())
    group.new_events = 10_000

    answers = [group.lease() for _ in range(10)]

    assert all(part.first > 176 for answer in answers for part in answer[1:])
    assert [count(answer) for answer in answers] == [200] * 10
    assert sum(len(part.events) for answer in answers for part in answer if part.suspect_limit) == 176


def test_a_hundred_single_events_of_one_answer_go_ten_at_a_time():
    group = PlayedGroup(Limits(2, 20), new_events=100, max_events=100)
    group.expire([Part(event, event, deliveries=2) for event in range(1, 101)])
    group.reached = 100

    assert [count(group.lease()) for _ in range(10)] == [10] * 10
    assert group.is_done


@given(
    new_events=st.integers(1, 1_000),
    max_events=st.integers(1, 1_000),
    killers=st.sets(st.integers(1, 1_000), max_size=4),
    max_failures=st.integers(1, 5) | st.integers(1, 100),
    max_deliveries=st.integers(2, 30),
    seed=st.integers(0, 2**32),
)
def test_poison_events_are_the_only_dead_letters_and_crashes_are_bounded(
    new_events, max_events, killers, max_failures, max_deliveries, seed
):
    limits = Limits(max_failures, max_deliveries)
    killers = {killer for killer in killers if killer <= new_events}
    group = PlayedGroup(limits, new_events, max_events, random.Random(seed))

    group.consume(killers=killers)

    assert sorted(group.dead) == sorted(killers)
    assert sorted(group.acked) == [event for event in range(1, new_events + 1) if event not in killers]
    most = most_deliveries(limits, min(new_events, max_events))
    assert all(group.crashes[killer] <= most for killer in killers)
    assert all(crashes < most for event, crashes in group.crashes.items() if event not in killers)


@given(
    new_events=st.integers(1, 1_000),
    max_events=st.integers(1, 1_000),
    max_failures=st.integers(1, 5),
    strikes=st.lists(st.booleans(), max_size=40),
    stops=st.lists(st.booleans(), max_size=40),
    seed=st.integers(0, 2**32),
)
def test_whatever_strikes_consumers_no_event_dies_of_what_it_was_not_alone_with(
    new_events, max_events, max_failures, strikes, stops, seed
):
    group = PlayedGroup(Limits(max_failures, 1_000), new_events, max_events, random.Random(seed))

    group.consume(is_struck=lambda: bool(strikes) and strikes.pop(), is_stopped=lambda: bool(stops) and stops.pop())

    assert sorted([*group.acked, *group.dead]) == list(range(1, new_events + 1))
    assert group.proofs == [[event] for event in group.dead]


@given(
    new_events=st.integers(1, 1_000),
    max_events=st.integers(1, 1_000),
    max_failures=st.integers(1, 5),
    stops=st.lists(st.booleans(), max_size=40),
)
def test_consumers_that_stop_politely_leave_nothing_under_suspicion(new_events, max_events, max_failures, stops):
    group = PlayedGroup(Limits(max_failures, 1_000), new_events, max_events)
    answers = iter(stops)

    def is_stopped() -> bool:
        assert not any(part.suspect_limit or part.must_be_alone for part in group.waiting)
        return next(answers, False)

    group.consume(is_stopped=is_stopped)

    assert (sorted(group.acked), group.dead) == (list(range(1, new_events + 1)), [])


@given(first=st.integers(1, 2**62), size=st.integers(1, 1000), pieces=st.integers(1, 1000))
def test_pieces_cover_the_range_in_order_without_holes(first, size, pieces):
    parts = cut(first, first + size - 1, pieces=pieces)

    assert len(parts) <= pieces
    assert [offset for low, high in parts for offset in range(low, high + 1)] == list(range(first, first + size))


@given(size=st.integers(1, 1000), attempts=st.integers(1, 100))
def test_a_range_is_cut_into_the_fewest_pieces_that_the_attempts_left_allow(size, attempts):
    pieces = piece_count(size, attempts)

    assert pieces**attempts >= size
    assert pieces == 1 or (pieces - 1) ** min(attempts, size.bit_length()) < size
    assert attempts > 1 or pieces == size


def test_a_nacked_range_stays_whole_until_its_last_attempt():
    (whole,) = after_nack(held(1, 10, failures=2, deliveries=3), LIMITS)
    singles = after_nack(held(1, 10, failures=3, deliveries=4), LIMITS)

    assert (whole.first_offset, whole.last_offset, whole.failure_count, whole.is_alone) == (1, 10, 3, False)
    assert [(piece.first_offset, piece.last_offset) for piece in singles] == [(n, n) for n in range(1, 11)]
    assert all(piece.is_alone and piece.failure_count == 4 for piece in singles)


def test_the_last_nack_exhausts_a_single_event():
    (piece,) = after_nack(held(7, 7, failures=4, deliveries=5, alone=True), LIMITS)

    assert (piece.state, piece.reason, piece.failure_count) == (
        DeliveryState.EXHAUSTED,
        ExhaustedReason.MAX_FAILURES,
        5,
    )


def test_a_terminal_nack_exhausts_the_whole_range_at_once():
    (piece,) = after_nack(held(1, 10), LIMITS, is_terminal=True)

    assert (piece.first_offset, piece.last_offset, piece.reason) == (1, 10, ExhaustedReason.TERMINAL)


def test_named_failures_go_on_one_by_one_with_their_own_delay():
    pieces = after_named_failures(
        held(1, 10), LIMITS, [FailedEvent(8, "boom", is_terminal=True), FailedEvent(3, "late", delay=7.0)]
    )

    assert [(piece.first_offset, piece.state, piece.delay, piece.error) for piece in pieces] == [
        (3, DeliveryState.WAITING, 7.0, "late"),
        (8, DeliveryState.EXHAUSTED, None, "boom"),
    ]


def test_an_event_named_on_its_last_attempt_is_exhausted_even_among_others():
    (piece,) = after_named_failures(held(1, 10), Limits(1, 20), [FailedEvent(3)])

    assert (piece.state, piece.reason) == (DeliveryState.EXHAUSTED, ExhaustedReason.MAX_FAILURES)


def test_a_release_adds_no_failure_and_no_delay():
    (piece,) = after_release(held(1, 10, failures=2, deliveries=3), LIMITS)

    assert (piece.failure_count, piece.delay, piece.last_offset) == (2, 0.0, 10)


def test_releases_without_end_meet_the_delivery_cap_one_event_at_a_time():
    singles = after_release(held(1, 3, deliveries=19), LIMITS)
    (last,) = after_release(held(2, 2, deliveries=20, alone=True), LIMITS)

    assert [piece.is_alone for piece in singles] == [True, True, True]
    assert last.reason is ExhaustedReason.DELIVERY_CAP


@pytest.mark.parametrize("alone", [False, True])
def test_what_crashed_a_consumer_stays_under_suspicion_when_it_is_released_but_not_when_it_is_nacked(alone):
    suspect = held(1, 4, deliveries=2, failures=1, alone=alone, suspect_limit=4)

    (released,), (nacked,) = after_release(suspect, LIMITS), after_nack(suspect, LIMITS)

    assert (released.last_offset, released.is_alone, released.suspect_limit) == (4, alone, 4)
    assert (nacked.last_offset, nacked.is_alone, nacked.suspect_limit) == (4, False, 0)


@pytest.mark.parametrize("max_failures", [1, 2, 5])
def test_a_release_leaves_a_range_whole_whatever_the_group_allows(max_failures):
    (piece,) = after_release(held(1, 200), Limits(max_failures, 20))

    assert (piece.first_offset, piece.last_offset, piece.is_alone, piece.suspect_limit) == (1, 200, False, 0)


def test_one_event_that_was_alone_by_chance_goes_with_others_when_it_is_released():
    (piece,) = after_release(held(7, 7, alone=True), LIMITS)

    assert not piece.is_alone


def test_what_crashed_once_goes_beside_others_and_what_crashed_twice_by_itself():
    once = after_expiry(held(1, 100), Limits(2, 20))
    twice = after_expiry(replace(held(1, 10, deliveries=2, failures=1), suspect_limit=10), Limits(2, 20))

    assert {(piece.is_alone, piece.suspect_limit) for piece in once} == {(False, 10)}
    assert {(piece.is_alone, piece.suspect_limit) for piece in twice} == {(True, 1)}


def test_with_one_delivery_left_each_event_is_by_itself():
    pieces = after_expiry(held(1, 30, deliveries=19), LIMITS)

    assert [(piece.first_offset, piece.is_alone) for piece in pieces] == [(n, True) for n in range(1, 31)]


@pytest.mark.parametrize("max_failures", [1, 2, 3])
def test_lowering_the_limit_meanwhile_never_exhausts_a_range(max_failures):
    pieces = after_expiry(held(1, 4, failures=4, deliveries=5), Limits(max_failures, 20))

    assert [(piece.first_offset, piece.state) for piece in pieces] == [(n, DeliveryState.WAITING) for n in (1, 2, 3, 4)]
    assert all(piece.suspect_limit == 1 for piece in pieces)
    assert after_expiry(held(1, 1, failures=4, deliveries=6, alone=True), Limits(max_failures, 20))[0].reason
