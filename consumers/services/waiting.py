"""Waiting: how a request does it, and how many may at once."""

import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import inf
from typing import Final, Generic, TypeVar

from psycopg_pool import PoolTimeout

from accounts.caller import Caller
from accounts.database_threads import let_go_of_connection
from accounts.errors import RateLimited
from accounts.limits.places import Places
from accounts.waits import pause
from consumers.conf import CROWD_PAUSE_SECONDS, MAX_WAITING_REQUESTS
from consumers.errors import TooManyWaiting
from consumers.services.standing import PartitionsAdded, Standing
from streams.log import get_wakeups
from streams.metrics import count_live, count_waiting
from streams.stopping import is_stopping

Found = TypeVar("Found")

# What they are told for whom there is no turn. A first look that gets no connection may as well have met a database
# that is away: whoever asks is told at once.
_NO_TURN = (PoolTimeout, RateLimited)

_places = Places("waiting", MAX_WAITING_REQUESTS, lambda: TooManyWaiting(MAX_WAITING_REQUESTS))


_NO_PLACE: Final = nullcontext()


class _CountedPlace:
    """A place that is held, and counted, within the block."""

    __slots__ = ("_count", "_held")

    def __init__(self, caller: Caller, count: Callable[[int], None]) -> None:
        self._held = _places.hold(caller)
        self._count = count

    def __enter__(self) -> None:
        self._held.__enter__()
        self._count(1)

    def __exit__(self, *_raised: object) -> None:
        self._count(-1)
        self._held.__exit__()


def waiting_place(caller: Caller, wait_seconds: float) -> AbstractContextManager[None]:
    """Hold a place while waiting, within the block; a request that does not wait needs none.

    Raises:
        RateLimited: the caller has its share of them.
        TooManyWaiting
    """
    return _CountedPlace(caller, count_waiting) if wait_seconds else _NO_PLACE


def live_place(caller: Caller) -> AbstractContextManager[None]:
    """Hold one of the same places for as long as a live stream is open.

    Raises:
        RateLimited, TooManyWaiting
    """
    return _CountedPlace(caller, count_live)


@dataclass(frozen=True, slots=True)
class Look(Generic[Found]):
    """What one look found.

    Attributes:
        found: the answer, if this is the last look.
        is_worth_answering: whether the request need not wait any longer.
        heads: the head of each partition that it looked at; only an append beyond wakes the request.
        look_again_seconds: how long nothing can happen that wakes nobody; 0: there is more to look at already.
    """

    found: Found
    is_worth_answering: bool
    heads: Mapping[int, int]
    look_again_seconds: float = inf


async def look_until_found(
    look: Callable[[], Awaitable[Look[Found]]],
    *,
    partition_ids: Iterable[int],
    wait_seconds: float,
    after_waiting: Callable[[], Awaitable[None]],
    standing: Standing | None = None,
) -> tuple[Found, float]:
    """Look, and look again whenever there may be something new, until it is worth answering or the wait is over.

    Between the looks neither a thread nor a connection is held.

    Args:
        after_waiting: called before each further look: what the request stands on may have changed.
        standing: wakes the request when it has lost what it stands on.

    Returns:
        What the last look found, and the seconds spent waiting, which are no work and no slowness.
    """
    if not wait_seconds:
        return (await look()).found, 0.0
    deadline = time.monotonic() + wait_seconds
    waited_seconds = 0.0

    async def look_again() -> Look[Found]:
        await after_waiting()
        return await look()

    # Watching begins before the look: an append in between wakes us, none is missed.
    with get_wakeups().watch(partition_ids) as watch, standing.waking(watch.wake) if standing else nullcontext():
        seen = await _in_turn(look, deadline, RateLimited)
        while True:
            now = time.monotonic()
            if seen.is_worth_answering or now >= deadline or is_stopping():
                return seen.found, waited_seconds
            if seen.look_again_seconds <= 0:
                seen = await _in_turn(look, deadline, *_NO_TURN)
                continue
            for partition_id, head_offset in seen.heads.items():
                watch.saw(partition_id, head_offset)
            await let_go_of_connection()
            found, look_again_seconds = seen.found, seen.look_again_seconds
            # Thousands wait, each with what is left here.
            del seen
            await watch.wait_async(min(deadline - now, look_again_seconds))
            waited_seconds += time.monotonic() - now
            if standing is not None:
                standing.check_still_there()
            try:
                seen = await _in_turn(look_again, deadline, *_NO_TURN)
            except PartitionsAdded:
                # Whoever asks again waits for all of them.
                return found, waited_seconds


async def _in_turn(
    look: Callable[[], Awaitable[Look[Found]]], deadline: float, *refusals: type[Exception]
) -> Look[Found]:
    """Look, for one who may be one of thousands that begin together or that an event woke, and has time.

    Raises:
        one of the refusals: the wait is over, and still too many stand in line for the database.
    """
    while True:
        try:
            return await look()
        except refusals:
            # Nothing was done.
            left = deadline - time.monotonic()
            if left <= 0 or is_stopping():
                raise
        await pause(min(left, random.uniform(*CROWD_PAUSE_SECONDS)))  # noqa: S311 - no secret
