"""What many want to know at the same moment is looked up once: of one event that comes, thousands may be told."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from accounts.database_threads import in_database_thread

Found = TypeVar("Found")
InThread: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]


class SharedLooks:
    """The looks of one event loop that nobody has begun yet; whoever wants the same takes part in it."""

    def __init__(self) -> None:
        self._not_begun: dict[Hashable, asyncio.Task[Any]] = {}

    async def look(self, key: Hashable, look: Callable[[], Awaitable[Found]]) -> Found:
        """Return what `look` finds; it begins after this was called.

        Args:
            key: the same for all who want exactly the same.
        """

        async def begin() -> Found:
            self._take_out(key, asyncio.current_task())
            return await look()

        return await self._share(key, begin)

    async def read(
        self, key: Hashable, read: Callable[[], Found], *, in_thread: InThread = in_database_thread
    ) -> Found:
        """Return what `read`, which asks the database, finds; it begins after this was called.

        Args:
            key: the same for all who want exactly the same.
            in_thread: does something in a thread that may wait for whom `read` asks.
        """

        async def read_beside() -> Found:
            mine = asyncio.current_task()

            def begin() -> Found:
                # Before anything is looked at: who comes later may have been woken by what this one does not see.
                self._take_out(key, mine)
                return read()

            try:
                return await in_thread(begin)
            finally:
                # Perhaps it was never begun.
                self._take_out(key, mine)

        return await self._share(key, read_beside)

    async def _share(self, key: Hashable, begin: Callable[[], Any]) -> Any:
        shared = self._not_begun.get(key)
        if shared is None:
            shared = self._not_begun[key] = asyncio.create_task(begin())
            # All who wanted it may have left: then nobody asks how it ended.
            shared.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Whoever leaves takes it from nobody else.
        return await asyncio.shield(shared)

    def _take_out(self, key: Hashable, mine: "asyncio.Task[Any] | None") -> None:
        if self._not_begun.get(key) is mine:
            self._not_begun.pop(key, None)


_of_loop: "WeakKeyDictionary[asyncio.AbstractEventLoop, SharedLooks]" = WeakKeyDictionary()


def shared_looks() -> SharedLooks:
    """Return those of the running loop."""
    return _of_loop.setdefault(asyncio.get_running_loop(), SharedLooks())
