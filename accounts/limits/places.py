"""Places that all callers share: whoever has many gets no more while others might want some."""

import threading
from collections.abc import Callable
from typing import Final

from accounts.caller import Caller
from accounts.errors import RateLimited
from accounts.turns import Names

# A caller may have so many times the places that are free: alone nearly all, with others beside it less, and there is
# always room for somebody new.
KEY_SHARE: Final = 10
OWNER_SHARE: Final = 20
# Requests that wait for a connection to the database, in one process: of an owner, and of one key or person.
MAX_READS_IN_LINE: Final = (2_000, 1_000)


class Places:
    """So many places in this process.

    Args:
        bucket: what they are called where one is refused.
        refusal: makes the error for whom there is none at all.
    """

    def __init__(self, bucket: str, total: int, refusal: Callable[[], Exception]) -> None:
        self._bucket = bucket
        self._total = total
        self._refusal = refusal
        self._lock = threading.Lock()
        self._taken = 0
        self._held: dict[str, int] = {}

    def hold(self, caller: Caller) -> "Held":
        """Hold a place, within the block.

        Raises:
            RateLimited: the key, or its owner with all keys, has its share.
            the refusal: all are taken.
        """
        return Held(self, caller.names_in_turn)

    def take(self, names: Names) -> None:
        with self._lock:
            self._take(names)

    def give_back(self, names: Names) -> None:
        with self._lock:
            self._give_back(names)

    def _take(self, names: Names) -> None:
        free = self._total - self._taken
        if not free:
            raise self._refusal()
        for name, whose, share in zip(names, ("owner", "key"), (OWNER_SHARE, KEY_SHARE), strict=True):
            if self._held.get(name, 0) >= share * free:
                raise RateLimited(self._bucket, whose, retry_after_seconds=1)
        self._taken += 1
        for name in names:
            self._held[name] = self._held.get(name, 0) + 1

    def _give_back(self, names: Names) -> None:
        self._taken -= 1
        for name in names:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]


class Held:
    """A place that is held within the block. Not a generator's: thousands of them wait, each with its frame."""

    __slots__ = ("_names", "_places")

    def __init__(self, places: Places, names: Names) -> None:
        self._places = places
        self._names = names

    def __enter__(self) -> None:
        self._places.take(self._names)

    def __exit__(self, *_raised: object) -> None:
        self._places.give_back(self._names)


def check_reads_in_line(waiting: list[int]) -> None:
    """Refuse a caller who has so many requests in line for the database already, as an owner and by one key.

    Raises:
        RateLimited
    """
    for number, most, whose in zip(waiting, MAX_READS_IN_LINE, ("owner", "key"), strict=False):
        if number >= most:
            raise RateLimited("reads", whose, retry_after_seconds=1)
