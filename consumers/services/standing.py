"""What a waiting request stands on: that its sender may still ask, and still listens.

A key may be revoked, a stream restricted, a group deleted while a request waits. So the right is looked at again after
each wait, and meanwhile now and then: once for all requests of the same standing, one after the other.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from accounts.errors import DomainError
from accounts.waits import running_loop
from consumers.conf import STANDING_RECHECK_SECONDS
from consumers.models import ConsumerGroup
from consumers.services.shared_looks import shared_looks


class PartitionsAdded(Exception):
    """The stream has more partitions than a waiting request knows: it is answered, and the next one knows them all."""


LookAtStanding = Callable[[], Awaitable[ConsumerGroup | None]]


@dataclass(frozen=True, slots=True)
class Standing:
    """What one request stands on.

    Attributes:
        key: the same for all requests that stand and fall together.
        look: returns the group as it is now (if there is one), or raises what a new request would get, or
            PartitionsAdded.
        check_still_there: raises if nobody listens any more.
        on_hang_up: lets a callback be called if the client hangs up; returns how to call that off.
    """

    key: Hashable
    look: LookAtStanding
    check_still_there: Callable[[], None] = lambda: None
    on_hang_up: Callable[[Callable[[], None]], Callable[[], None]] = lambda _: _nothing_to_call_off

    async def look_again(self) -> ConsumerGroup | None:
        """Do what `look` does, once for all of the same standing who ask at the same moment.

        Thousands are woken by one event, and each asking for itself would stand in line for the database.
        """
        if running_loop() is None:
            return await self.look()
        return await shared_looks().look((Standing, self.key), self.look)

    def waking(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Within the block, call `wake` when the standing is lost, or another; who is woken looks again."""
        loop = running_loop()
        return nullcontext() if loop is None else _Overseen(_overseers.setdefault(loop, _Overseer()), self, wake)


def _nothing_to_call_off() -> None:
    """For where nobody can tell that a client has hung up."""


class _Overseen:
    """One who is looked after within the block. Not a generator's: thousands of them wait, each with its frame."""

    __slots__ = ("_call_off", "_overseer", "_standees", "_standing", "_wake")

    def __init__(self, overseer: "_Overseer", standing: Standing, wake: Callable[[], None]) -> None:
        self._overseer = overseer
        self._standing = standing
        self._wake = wake

    def __enter__(self) -> None:
        self._call_off = self._standing.on_hang_up(self._wake)
        self._standees = self._overseer.look_after(self._standing, self._wake)

    def __exit__(self, *_raised: object) -> None:
        self._overseer.leave(self._standing, self._standees, self._wake)
        self._call_off()


@dataclass(slots=True)
class _Standees:
    """Those who wait on the same standing."""

    look: LookAtStanding
    wakes: set[Callable[[], None]] = field(default_factory=set)


class _Overseer:
    """Looks again for those who wait on one loop, as long as anybody does."""

    def __init__(self) -> None:
        self._standees: dict[Hashable, _Standees] = {}
        self._task: asyncio.Task[None] | None = None

    def look_after(self, standing: Standing, wake: Callable[[], None]) -> _Standees:
        standees = self._standees.get(standing.key)
        if standees is None:
            standees = self._standees[standing.key] = _Standees(standing.look)
        standees.wakes.add(wake)
        if self._task is None:
            # Not in the context of the request that happens to be the first.
            self._task = asyncio.create_task(self._look_after(), context=contextvars.Context())
        return standees

    def leave(self, standing: Standing, standees: _Standees, wake: Callable[[], None]) -> None:
        standees.wakes.discard(wake)
        if not standees.wakes and self._standees.get(standing.key) is standees:
            del self._standees[standing.key]

    async def _look_after(self) -> None:
        try:
            while self._standees:
                await asyncio.sleep(STANDING_RECHECK_SECONDS)
                for standees in list(self._standees.values()):
                    await self._look(standees)
        finally:
            self._task = None

    async def _look(self, standees: _Standees) -> None:
        try:
            await standees.look()
        except (DomainError, PartitionsAdded):
            for wake in list(standees.wakes):
                wake()
        except Exception:  # noqa: BLE001 - no answer (the database is away) is no reason to send anybody home
            return


_overseers: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Overseer]" = WeakKeyDictionary()
