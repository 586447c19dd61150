"""Answers that are remembered for less than a second, so that a hot path asks the database seldom.

One thread renews an answer a little before its time is up, while the others go on with the old one:
otherwise all of them would ask at the same moment.
"""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class _Entry(Generic[Answer]):
    __slots__ = ("answer", "expires_at", "renew_at", "renewing")

    def __init__(self, answer: Answer, renew_at: float, expires_at: float) -> None:
        self.answer = answer
        self.renew_at = renew_at
        self.expires_at = expires_at
        self.renewing = threading.Lock()


class ShortMemory(Generic[Key, Answer]):
    """Remembers answers by key, each for at most `seconds` from the moment the question was asked.

    Args:
        size: how many answers are kept; beyond that all are forgotten.
    """

    def __init__(self, *, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._entries: dict[Key, _Entry[Answer]] = {}
        # Counts `forget`: an answer that was asked for before it must not be kept after it.
        self._generation = 0

    def get(self, key: Key, ask: Callable[[], Answer]) -> Answer:
        """Return the answer for `key`, by `ask` if none is remembered. What `ask` raises is not remembered."""
        now = time.monotonic()
        entry = self._entries.get(key)
        if entry is not None and (
            now < entry.renew_at or (now < entry.expires_at and not entry.renewing.acquire(blocking=False))
        ):
            return entry.answer
        generation = self._generation
        try:
            answer = ask()
        except BaseException:
            self._entries.pop(key, None)
            raise
        if generation == self._generation:
            if len(self._entries) >= self._size:
                self._entries = {}
            self._entries[key] = _Entry(answer, now + self._seconds / 2, now + self._seconds)
        return answer

    def forget(self) -> None:
        """Drop every answer: something was changed in this process, and counts here at once."""
        self._generation += 1
        self._entries = {}
