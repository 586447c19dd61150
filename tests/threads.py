"""Work on other threads, of which neither the end nor an error may be overlooked."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.db import connection

SECONDS = 60.0


class Work(threading.Thread):
    """Something that another caller does, on a connection of its own; begun at once."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._outcome: Any = None
        self.start()

    def run(self) -> None:
        try:
            self._outcome = self._call()
        except BaseException as error:
            self._outcome = error
        finally:
            connection.close()

    def outcome(self, seconds: float = SECONDS) -> Any:
        """Wait for the end; return the result, or the error."""
        self.join(max(0.0, seconds))
        assert not self.is_alive(), f"{self._call} has not ended in {seconds:.0f} s"
        return self._outcome

    def result(self, seconds: float = SECONDS) -> Any:
        """Wait for the end; return the result, or raise the error."""
        outcome = self.outcome(seconds)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def crowd(size: int, call: Callable[[], Any]) -> list[Work]:
    """Let so many threads make the same call."""
    return [Work(call) for _ in range(size)]


def outcomes_of(works: Sequence[Work], seconds: float = SECONDS) -> list[Any]:
    """Wait for all, together no longer than that; return each one's result or error."""
    deadline = time.monotonic() + seconds
    return [work.outcome(deadline - time.monotonic()) for work in works]


def in_threads(calls: Sequence[Callable[[], Any]], seconds: float = SECONDS) -> list[Any]:
    """Make the calls side by side; return each one's result or error."""
    return outcomes_of([Work(call) for call in calls], seconds)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Make the calls at the same moment; return their results, or raise the first error."""
    barrier = threading.Barrier(len(calls), timeout=SECONDS)

    def together(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    outcomes = in_threads([partial(together, call) for call in calls])
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes


def waits_for_a_lock(kind: str = "%", *, count: int = 1) -> bool:
    """Whether so many of this database's connections wait for a lock of this kind."""
    with connection.cursor() as cursor:
        # Within a transaction the activity is looked at once, unless it is asked for anew.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event LIKE %s",
            [kind],
        )
        return bool(cursor.fetchone()[0] == count)
