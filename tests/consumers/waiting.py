"""Polls and leases that wait, in threads of this process."""

import time
from collections.abc import Callable
from typing import Any

from streams.log import get_wakeups
from tests.run.instance import wait_for
from tests.threads import Work, crowd


def waiting(call: Callable[[], Any], count: int = 1, *, partitions: int = 1) -> list[Work]:
    """Make the call so many times, and return when all of them wait for something to come to so many partitions."""
    works = crowd(count, call)
    wait_for(f"{count} that wait", lambda: get_wakeups().watch_count == count * partitions)
    # They look once more, and then they wait.
    time.sleep(0.2)
    assert all(work.is_alive() for work in works)
    return works
