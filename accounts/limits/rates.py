"""How many requests, events and bytes a second: of a key, and of its owner whatever the key.

Each process keeps its own buckets, so nothing is asked on a request's way. What it spent it tells the others ten times
a second through Redis (shared_levels.py), and learns what is left for all: a caller that comes to several workers has
one limit. Without Redis each worker goes by its own.
"""

import threading
import time
from collections.abc import Callable, Mapping
from math import ceil
from typing import Final, Protocol

from django.conf import settings

from accounts.caller import Caller
from accounts.errors import RateLimited
from accounts.limits.buckets import Bucket, Rate
from accounts.limits.shared_levels import SharedLevels

REQUESTS: Final = "requests"
EVENTS: Final = "events"
BYTES: Final = "bytes"
ROUND_SECONDS: Final = 0.1
# Callers that are remembered; whoever is forgotten begins with a full bucket, or with what Redis knows.
MAX_BUCKETS: Final = 20_000

# A key or an owner, and what is counted.
BucketName = tuple[str, str]


class Levels(Protocol):
    """Those who count for all processes."""

    def spend(self, spent: Mapping[BucketName, tuple[Rate, float]]) -> Mapping[BucketName, float] | None:
        """Take what was spent from each bucket; return what each holds now, or None if nobody can be asked."""
        ...


class Rates:
    """The buckets of this process.

    Args:
        key, owner: for each kind how fast it may go; a kind that is missing has no limit.
    """

    def __init__(
        self, *, key: Mapping[str, Rate], owner: Mapping[str, Rate], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._key = key
        self._owner = owner
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[BucketName, Bucket] = {}
        self._touched: set[BucketName] = set()
        self.has_work = threading.Event()

    def admit(self, caller: Caller, *kinds: str) -> None:
        """Let a caller pass who has something left of each kind.

        Raises:
            RateLimited
        """
        now = self._clock()
        with self._lock:
            waits = [(bucket.wait_seconds(now), kind, whose) for kind, whose, bucket in self._buckets_of(caller, kinds)]
        wait, kind, whose = max(waits, default=(0.0, "", ""))
        if wait:
            raise RateLimited(kind, whose, retry_after_seconds=ceil(wait))

    def spend(self, caller: Caller, kind: str, amount: int) -> None:
        """Count what a caller did."""
        now = self._clock()
        with self._lock:
            for _, _, bucket in self._buckets_of(caller, (kind,)):
                bucket.spend(amount, now)

    def exchange(self, levels: Levels) -> None:
        """Tell the others what was spent here since last time, and learn what is left for all."""
        with self._lock:
            self.has_work.clear()
            touched, self._touched = self._touched, set()
            buckets = {name: self._buckets[name] for name in touched if name in self._buckets}
            spent = {name: (bucket.rate, bucket.take_unreported()) for name, bucket in buckets.items()}
        if not spent:
            return
        known = levels.spend(spent)
        if known is None:
            return
        now = self._clock()
        with self._lock:
            for name, level in known.items():
                buckets[name].learn(level, now)

    def _buckets_of(self, caller: Caller, kinds: tuple[str, ...]) -> list[tuple[str, str, Bucket]]:
        owner, key = caller.names_in_turn
        return [
            (kind, whose, self._bucket((subject, kind), rate))
            for kind in kinds
            for whose, subject, rate in (
                ("key" if caller.key_id else "user", key, self._key.get(kind)),
                ("owner", owner, self._owner.get(kind)),
            )
            if rate is not None
        ]

    def _bucket(self, name: BucketName, rate: Rate) -> Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= MAX_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[name] = Bucket(rate, self._clock())
        self._touched.add(name)
        if not self.has_work.is_set():
            self.has_work.set()
        return bucket


def _rates_in(limits: Mapping[str, int], burst_seconds: int) -> dict[str, Rate]:
    return {kind: Rate(limit, limit * burst_seconds) for kind, limit in limits.items() if limit}


class _NoRates:
    """Nothing is limited, and nothing counted."""

    def admit(self, caller: Caller, *kinds: str) -> None: ...

    def spend(self, caller: Caller, kind: str, amount: int) -> None: ...


_rates: Rates | _NoRates | None = None
_making = threading.Lock()


def get_rates() -> Rates | _NoRates:
    """Return the rates that the settings name, with a thread that goes on telling the others of them."""
    global _rates  # noqa: PLW0603 - one for the process, made when the first request comes
    if _rates is None:
        with _making:
            if _rates is None:
                _rates = _make_rates()
    return _rates


def forget_rates() -> None:
    """Begin anew, with the settings as they are now."""
    global _rates  # noqa: PLW0603
    _rates = None


def _make_rates() -> Rates | _NoRates:
    burst_seconds = max(1, settings.RATE_LIMIT_BURST_SECONDS)
    key = _rates_in(settings.RATE_LIMITS["key"], burst_seconds)
    owner = _rates_in(settings.RATE_LIMITS["owner"], burst_seconds)
    if not key and not owner:
        return _NoRates()
    rates = Rates(key=key, owner=owner)
    levels = SharedLevels(settings.REDIS_URL)
    threading.Thread(target=_keep_exchanging, args=(rates, levels), name="eventflow-rates", daemon=True).start()
    return rates


def _keep_exchanging(rates: Rates, levels: Levels) -> None:
    while rates is _rates or _rates is None:
        if rates.has_work.wait(timeout=5.0):
            rates.exchange(levels)
            time.sleep(ROUND_SECONDS)
