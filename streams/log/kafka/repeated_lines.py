"""While a broker is away every handle says so, again and again: once a minute is enough."""

import logging
import re
import time
from typing import Final

_SECONDS: Final = 60.0
_MOST: Final = 1_000
# Which of our handles it is, and how long something took.
_VARYING: Final = re.compile(r"\[eventflow#[^\]]*\]|\(after [^)]*\)")


class SeldomRepeated(logging.Filter):
    """Lets a line pass that differs from those of the last minute in more than its handle and its numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._told_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line = _VARYING.sub("", record.getMessage())
        now = time.monotonic()
        told_at = self._told_at.get(line)
        if told_at is not None and now - told_at < _SECONDS:
            return False
        if len(self._told_at) >= _MOST:
            self._told_at.clear()
        self._told_at[line] = now
        return True
