"""What the buckets of all processes together hold, in Redis. Losing it loses nothing: each process goes by its own."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import redis

from accounts.limits.buckets import MAX_DEBT_SECONDS, Rate

logger = logging.getLogger("eventflow.limits")
PREFIX: Final = "eventflow:bucket:"
PATIENCE_SECONDS: Final = 1.0
# While it is away, so long between two tries.
PAUSE_SECONDS: Final = 5.0
MAX_AT_ONCE: Final = 500
_SCRIPT: Final = (Path(__file__).parent / "spend.lua").read_text()


class SharedLevels:
    """Asks one Redis (or Valkey); used by one thread."""

    def __init__(self, url: str) -> None:
        client = redis.Redis.from_url(
            url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS, decode_responses=True
        )
        self._spend = client.register_script(_SCRIPT)
        self._ask_again_at = 0.0

    def spend(self, spent: Mapping[tuple[str, str], tuple[Rate, float]]) -> Mapping[tuple[str, str], float] | None:
        """Take what was spent from each bucket; return what each holds now, or None while Redis is away."""
        if time.monotonic() < self._ask_again_at:
            return None
        known: dict[tuple[str, str], float] = {}
        names = list(spent)
        try:
            for start in range(0, len(names), MAX_AT_ONCE):
                some = names[start : start + MAX_AT_ONCE]
                known |= zip(some, self._ask(some, spent), strict=True)
        except redis.RedisError as error:
            logger.warning("rate limits hold for each process by itself, Redis is away: %s", type(error).__name__)
            self._ask_again_at = time.monotonic() + PAUSE_SECONDS
            return None
        return known

    def _ask(self, names: list[tuple[str, str]], spent: Mapping[tuple[str, str], tuple[Rate, float]]) -> list[float]:
        words: list[float] = [MAX_DEBT_SECONDS]
        for name in names:
            rate, amount = spent[name]
            words += (amount, rate.per_second, rate.burst)
        levels: Any = self._spend(keys=[f"{PREFIX}{subject}:{kind}" for subject, kind in names], args=words)
        return [float(level) for level in levels]
