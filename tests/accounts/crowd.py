"""Many threads that want the same answer at once."""

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connection

from accounts.short_memory import ShortMemory

SECONDS = 60


class Crowd:
    """Threads that make the same call; `outcomes` has what each was told, an answer or an error."""

    def __init__(self, size: int, call: Callable[[], Any]) -> None:
        self.outcomes: list[Any] = []
        self._call = call
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(size)]

    def start(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def end(self) -> list[Any]:
        """Wait for all of them; return what they were told."""
        deadline = time.monotonic() + SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not any(thread.is_alive() for thread in self._threads), "somebody still waits"
        assert len(self.outcomes) == len(self._threads)
        return self.outcomes

    def _run(self) -> None:
        try:
            outcome = self._call()
        except BaseException as error:
            outcome = error
        finally:
            connection.close()
        self.outcomes.append(outcome)


def wait_for_waiters(memory: ShortMemory[Any, Any], count: int) -> None:
    """Wait until so many threads wait for what is being asked."""
    deadline = time.monotonic() + SECONDS
    while count_waiters(memory) < count:
        assert time.monotonic() < deadline, f"{count_waiters(memory)} of {count} wait"
        time.sleep(0.002)


def count_waiters(memory: ShortMemory[Any, Any]) -> int:
    conditions: list[Any] = [question.future._condition for question in list(memory._questions.values())]
    return sum(len(condition._waiters) for condition in conditions)
