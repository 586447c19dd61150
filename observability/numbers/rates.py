"""How fast a stream grows at this moment: the one definition of events per second."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from observability.numbers.tails import Tail


def rate_begins_at(now: datetime) -> datetime:
    """Since when events count for the rate: it looks at the minute under way and the whole one before it."""
    return now.replace(second=0, microsecond=0) - timedelta(minutes=1)


def rate_per_second(*, rolled_up_events: int, tails: Iterable[Tail], now: datetime) -> float:
    """Return the events per second since `rate_begins_at`.

    Args:
        rolled_up_events: those since then that are rolled up.
        tails: those that are not; of a tail that began earlier only a part counts.
    """
    begin = rate_begins_at(now)
    fresh = sum(tail.events - tail.events_until(begin) for tail in tails)
    return (rolled_up_events + fresh) / (now - begin).total_seconds()
