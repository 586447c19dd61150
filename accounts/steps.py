"""Deleting what is old in short transactions, as many of them as it takes to keep up with what comes."""

import time
from collections.abc import Callable


def repeat_while_full(step: Callable[[], int], *, full: int, seconds: float) -> int:
    """Take one step, and further ones while each finds as much as it may take; return how many rows went.

    Args:
        step: deletes some of the oldest rows, and returns how many.
        full: what a step deletes at most: with fewer nothing is left.
        seconds: no step begins later than that. What is left goes in the next tick.
    """
    deadline = time.monotonic() + seconds
    total = done = step()
    while done >= full and time.monotonic() < deadline:
        done = step()
        total += done
    return total
