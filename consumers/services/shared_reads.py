"""Reads that many want at the same moment are made once: of one event that comes, thousands may be told."""

import asyncio
from collections.abc import Callable, Hashable
from weakref import WeakKeyDictionary

from accounts.database_threads import in_database_thread
from consumers.services.reading import Reading


class SharedReads:
    """The reads of one event loop that nobody has begun yet; whoever wants the same takes part in it."""

    def __init__(self) -> None:
        self._not_begun: dict[Hashable, asyncio.Task[Reading]] = {}

    async def read(self, key: Hashable, read: Callable[[], Reading]) -> Reading:
        """Return what `read`, which asks the database, finds; it begins after this was called.

        Args:
            key: the same for all who want exactly the same.
        """
        shared = self._not_begun.get(key)
        if shared is None:
            shared = self._not_begun[key] = asyncio.create_task(self._read(key, read))
            # All who wanted it may have left: then nobody asks how it ended.
            shared.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Whoever leaves takes it from nobody else.
        return await asyncio.shield(shared)

    async def _read(self, key: Hashable, read: Callable[[], Reading]) -> Reading:
        mine = asyncio.current_task()

        def begin() -> Reading:
            # Before anything is looked at: who comes later may have been woken by what this one does not see.
            self._take_out(key, mine)
            return read()

        try:
            return await in_database_thread(begin)
        finally:
            # Perhaps it was never begun.
            self._take_out(key, mine)

    def _take_out(self, key: Hashable, mine: "asyncio.Task[Reading] | None") -> None:
        if self._not_begun.get(key) is mine:
            self._not_begun.pop(key, None)


_of_loop: "WeakKeyDictionary[asyncio.AbstractEventLoop, SharedReads]" = WeakKeyDictionary()


def shared_reads() -> SharedReads:
    """Return those of the running loop."""
    return _of_loop.setdefault(asyncio.get_running_loop(), SharedReads())
