"""How many may go now, of what goes at a rate. Pure; times are of one clock, the database's.

Each that goes takes its share of a second, and the next may go when the share is over. Nobody makes up for more than
the last second: what stood still for an hour goes on at its rate, not with an hour's worth at once.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

_SECOND = timedelta(seconds=1)


class Turn(NamedTuple):
    """How many may go at a moment, and from when their shares of time count."""

    room: int
    begins_at: datetime


def turn_at(now: datetime, *, next_at: datetime, per_second: int) -> Turn:
    """Return how many may go now.

    Args:
        next_at: when the next one may go, as `next_after` said.
    """
    share = _SECOND / per_second
    begins_at = max(next_at, now - share * (per_second - 1))
    # Nothing is due later than in a second, unless the clock was put back.
    begins_at = min(begins_at, now + _SECOND)
    return Turn((now - begins_at) // share + 1 if begins_at <= now else 0, begins_at)


def next_after(turn: Turn, count: int, *, per_second: int) -> datetime:
    """Return when the next one may go, after `count` have gone in this turn."""
    return turn.begins_at + _SECOND / per_second * count
