"""What requests and readers wait on until somebody else's thread lets them go on."""

import asyncio
import threading
from collections.abc import Iterable
from typing import Protocol


class Latch(Protocol):
    """Closed until it is opened; `open_all` opens many at once."""

    loop: asyncio.AbstractEventLoop | None

    def open(self) -> None:
        """Let whoever waits go on; in the thread of `loop`, where there is one. Harmless when it is open."""
        ...


class ThreadLatch:
    """Holds a thread. A bare lock, taken at birth: the cheapest way to wait in a thread."""

    __slots__ = ("_lock",)

    loop: asyncio.AbstractEventLoop | None = None

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        if self._lock.locked():
            try:
                self._lock.release()
            except RuntimeError:
                # Another thread opened it between the look and the release.
                return

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`, and close the latch behind; whether it was open."""
        return self._lock.acquire(timeout=max(0.0, seconds))


class LoopLatch:
    """Holds a coroutine: a flag, and while somebody waits a future and a timer."""

    __slots__ = ("_future", "_is_open", "loop")

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        self._is_open = False
        self._future: asyncio.Future[bool] | None = None

    def open(self) -> None:
        self._is_open = True
        self._settle()

    async def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`, and close the latch behind; whether it was open."""
        if not self._is_open and seconds > 0 and self.loop is not None:
            self._future = self.loop.create_future()
            timer = self.loop.call_later(seconds, self._settle)
            try:
                await self._future
            finally:
                timer.cancel()
                self._future = None
        was_open, self._is_open = self._is_open, False
        return was_open

    def _settle(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(True)


def open_all(latches: Iterable[Latch]) -> None:
    """Open latches from any thread: each loop is woken once, however many of them are its own."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Latch]] = {}
    for latch in latches:
        if latch.loop is None:
            latch.open()
        else:
            by_loop.setdefault(latch.loop, []).append(latch)
    for loop, its_own in by_loop.items():
        try:
            loop.call_soon_threadsafe(_open_each, its_own)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            continue


def _open_each(latches: list[Latch]) -> None:
    for latch in latches:
        latch.open()
