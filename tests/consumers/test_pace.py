"""What goes at a rate keeps it in the long run and in each second, and makes up for no pause."""

from datetime import UTC, datetime, timedelta

import pytest

from consumers.pace import next_after, turn_at

START = datetime(2026, 11, 28, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def play(per_second: int, moments: list[float]) -> list[int]:
    """How many go at each moment, if all that may go do."""
    next_at, went = START, []
    for moment in moments:
        turn = turn_at(at(moment), next_at=next_at, per_second=per_second)
        went.append(turn.room)
        next_at = next_after(turn, turn.room, per_second=per_second)
    return went


@pytest.mark.parametrize("per_second", [1, 3, 7, 50, 200])
def test_a_step_a_second_keeps_the_rate(per_second):
    went = play(per_second, [float(second) for second in range(1, 61)])
    assert set(went) == {per_second}


@pytest.mark.parametrize("per_second", [1, 3, 10, 200])
def test_however_often_it_is_asked_no_more_go(per_second):
    went = play(per_second, [step / 50 for step in range(50 * 20 + 1)])
    assert per_second * 20 <= sum(went) <= per_second * 20 + 1
    assert max(went) <= -(-per_second // 50)


@pytest.mark.parametrize("pause", [2.0, 60.0, 86_400.0])
def test_a_pause_is_not_made_up_for(pause):
    before, after, soon, later = play(10, [1.0, 1.0 + pause, 1.05 + pause, 2.0 + pause])
    assert (before, after) == (10, 10)
    assert after + soon <= 10
    assert soon + later <= 10


def test_less_than_was_possible_leaves_the_next_one_free():
    turn = turn_at(at(1), next_at=START, per_second=10)
    assert turn_at(at(1), next_at=next_after(turn, 4, per_second=10), per_second=10).room == 6


def test_a_clock_that_was_put_back_delays_by_a_second_at_most():
    far = at(3600)
    turn = turn_at(at(0), next_at=far, per_second=10)
    assert turn.room == 0
    assert turn_at(at(1), next_at=next_after(turn, 0, per_second=10), per_second=10).room == 1
