"""One bad event never takes its neighbours along, and is found within a bounded number of crashes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.isolation import (
    FailedEvent,
    HeldRange,
    Limits,
    Piece,
    after_expiry,
    after_nack,
    after_named_failures,
    after_release,
    cut,
    piece_count,
)
from consumers.states import DeliveryState, ExhaustedReason

LIMITS = Limits(max_failures=5, max_deliveries=20)


def held(first: int = 1, last: int = 500, *, deliveries: int = 1, failures: int = 0, alone: bool = False) -> HeldRange:
    return HeldRange(first, last, delivery_count=deliveries, failure_count=failures, is_alone=alone)


def lease_again(piece: Piece, delivery_count: int) -> HeldRange:
    return HeldRange(piece.first_offset, piece.last_offset, delivery_count + 1, piece.failure_count, piece.is_alone)


def crash_on(poison: int, first: HeldRange, limits: Limits) -> tuple[int, dict[int, int], list[int]]:
    """Play consumers that die on one event and ack the rest; return crashes, failures of the others, dead letters."""
    crashes = 0
    failures: dict[int, int] = {}
    dead: list[int] = []
    waiting = [first]
    while waiting:
        range_ = waiting.pop(0)
        if not range_.first_offset <= poison <= range_.last_offset:
            failures |= dict.fromkeys(range(range_.first_offset, range_.last_offset + 1), range_.failure_count)
            continue
        crashes += 1
        for piece in after_expiry(range_, limits):
            if piece.state is DeliveryState.EXHAUSTED:
                dead += range(piece.first_offset, piece.last_offset + 1)
            else:
                waiting.append(lease_again(piece, range_.delivery_count))
    return crashes, failures, dead


def test_five_crashes_isolate_one_of_500_events_and_most_neighbours_fail_once():
    crashes, failures, dead = crash_on(321, held(), LIMITS)

    assert (crashes, dead) == (5, [321])
    assert [sum(1 for count in failures.values() if count == n) for n in (1, 2, 3, 4)] == [400, 80, 16, 3]


@given(
    size=st.integers(1, 1000),
    place=st.integers(0, 999),
    max_failures=st.integers(1, 100),
    max_deliveries=st.integers(2, 30),
    is_alone=st.booleans(),
)
def test_a_poison_event_is_the_only_dead_letter_and_crashes_are_bounded(
    size, place, max_failures, max_deliveries, is_alone
):
    limits = Limits(max_failures, max_deliveries)
    start = held(1, size, alone=is_alone)
    poison = 1 + place % size

    crashes, failures, dead = crash_on(poison, start, limits)

    assert dead == [poison]
    assert set(failures) == set(range(1, size + 1)) - {poison}
    assert crashes <= max(2, min(max_failures, max_deliveries))
    assert max(failures.values(), default=0) < max(max_failures, 1)


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


def test_what_crashed_a_consumer_stays_alone_when_it_is_released_but_not_when_it_is_nacked():
    suspect = held(1, 4, deliveries=2, failures=1, alone=True)

    assert after_release(suspect, LIMITS)[0].is_alone
    assert not after_nack(suspect, LIMITS)[0].is_alone


@pytest.mark.parametrize("max_failures", [1, 2, 3])
def test_lowering_the_limit_meanwhile_never_exhausts_a_range(max_failures):
    pieces = after_expiry(held(1, 4, failures=4, deliveries=5), Limits(max_failures, 20))

    assert [(piece.first_offset, piece.state) for piece in pieces] == [(n, DeliveryState.WAITING) for n in (1, 2, 3, 4)]
    assert all(piece.is_alone for piece in pieces)
    assert after_expiry(replace(held(1, 1, failures=4, deliveries=6), is_alone=True), Limits(max_failures, 20))[
        0
    ].reason
