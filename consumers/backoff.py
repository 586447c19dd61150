"""When a failed delivery may be handed out again."""

from collections.abc import Sequence

from consumers.conf import BACKOFF_JITTER


def backoff_seconds(schedule: Sequence[int], *, failure_count: int, jitter: float) -> float:
    """Return how long to wait after the n-th failure; the last entry of the schedule repeats.

    Args:
        schedule: the group's list, in seconds; at least one entry.
        failure_count: failures so far, this one included (an expiry that did not count as one: 0 is as 1).
        jitter: from -1 to 1, spreads the delay by as much as ±BACKOFF_JITTER, so that what failed
            together does not come back together.
    """
    base = schedule[min(max(failure_count, 1), len(schedule)) - 1]
    return base * (1 + BACKOFF_JITTER * max(-1.0, min(1.0, jitter)))
