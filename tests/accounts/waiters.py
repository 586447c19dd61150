"""Who waits for what another thread asks."""

from typing import Any

from accounts.short_memory import ShortMemory
from tests.run.instance import wait_for


def wait_for_waiters(memory: ShortMemory[Any, Any], count: int) -> None:
    """Wait until so many threads wait for what is being asked."""
    wait_for(f"{count} who wait", lambda: count_waiters(memory) >= count)


def count_waiters(memory: ShortMemory[Any, Any]) -> int:
    conditions: list[Any] = [question.future._condition for question in list(memory._questions.values())]
    return sum(len(condition._waiters) for condition in conditions)
