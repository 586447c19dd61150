"""Work on a long body, which must not hold up the many short ones: in a thread, where a loop has lent some."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from accounts.lent_threads import LentThreads
from accounts.waits import running_loop

Returned = TypeVar("Returned")

# From this size on, reading a body takes longer than the way to a thread and back.
LONG_BYTES: Final = 32 * 1024
PATIENCE_SECONDS: Final = 10.0

_threads: "WeakKeyDictionary[asyncio.AbstractEventLoop, LentThreads]" = WeakKeyDictionary()


def lend_threads_for_long_work(size: int, *, refusal: Callable[[], Exception]) -> LentThreads:
    """Give the running loop threads for long work."""
    threads = LentThreads("long-work", size=size, patience_seconds=PATIENCE_SECONDS, refusal=refusal)
    _threads[asyncio.get_running_loop()] = threads
    return threads


async def off_the_loop_if_long(work: Callable[[], Returned], *, size: int) -> Returned:
    """Do `work` on so many bytes: here if they are few, or nobody would be held up, else in a thread."""
    if size < LONG_BYTES or (loop := running_loop()) is None or (threads := _threads.get(loop)) is None:
        return work()
    return await threads.run(work)
