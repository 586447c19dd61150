"""Coroutines that wait for a database, a commit or an event, wherever they run.

On an event loop the others go on meanwhile. In a thread without a loop (a command, a task, a page) there is nobody
to make way for, so each wait simply blocks: the same coroutine serves both, and what it does is written once.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

Returned = TypeVar("Returned")


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop of this thread, or None where waiting means to block."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def pause(seconds: float) -> None:
    """Do nothing for so long."""
    if running_loop() is None:
        time.sleep(seconds)
    else:
        await asyncio.sleep(seconds)


def run_blocking(coroutine: Coroutine[Any, Any, Returned]) -> Returned:
    """Run a coroutine to its end in a thread that has no event loop.

    Raises:
        RuntimeError: it is called on a loop, which would stand still, or the coroutine waits for what needs one.
    """
    try:
        if running_loop() is not None:
            raise RuntimeError("an event loop must not stand still: await the coroutine")
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    finally:
        coroutine.close()
    raise RuntimeError("the coroutine waits for what only an event loop brings")
