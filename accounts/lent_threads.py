"""Threads that an event loop lends work to: never more than so many at once, the others wait for their turn.

Who waits for a thread waits on the loop and costs next to nothing, but not for ever. So a database that is stuck
holds these threads, and neither the loop nor anybody who does not ask the database.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from accounts.turns import Turns, current_names

Returned = TypeVar("Returned")


class _Errand(Generic[Returned]):
    """Some work on its way: what is to be done, and the future of who waits for it."""

    __slots__ = ("context", "error", "future", "patience", "result", "work")

    def __init__(self, work: Callable[[], Returned], future: "asyncio.Future[Returned]") -> None:
        self.work = work
        self.future = future
        # Log lines and traces of the work belong to the request.
        self.context = contextvars.copy_context()
        self.patience: asyncio.TimerHandle | None = None
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.context.run(self.work)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to who waits
            self.error = error

    def settle(self) -> None:
        error, self.error = self.error, None
        # Who waited may be gone; what was done is done.
        if self.future.done():
            return
        if error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(error)


class LentThreads:
    """A number of threads for one event loop; made and used on that loop.

    Args:
        patience_seconds: how long to wait for a thread.
        refusal: makes the error for whom none came free in time.
        check_line: called with how many wait already for each of the names that more work is for; it may refuse it.
    """

    def __init__(
        self,
        name: str,
        *,
        size: int,
        patience_seconds: float,
        refusal: Callable[[], Exception],
        check_line: Callable[[list[int]], None] | None = None,
    ) -> None:
        self._name = name
        self._size = size
        self._patience_seconds = patience_seconds
        self._refusal = refusal
        self._check_line = check_line
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Errand[Any] | None] = SimpleQueue()
        self._waiting: Turns[_Errand[Any]] = Turns()
        self._threads: list[threading.Thread] = []
        self._busy = 0

    async def run(self, work: Callable[[], Returned]) -> Returned:
        """Do `work` in one of the threads and return what it returns.

        Raises:
            whatever `work` or `refusal` does.
        """
        errand = _Errand(work, self._loop.create_future())
        if self._busy < self._size:
            self._busy += 1
            if self._busy > len(self._threads):
                self._start_thread()
            self._queue.put(errand)
        else:
            names = current_names.get()
            if self._check_line is not None and names:
                self._check_line(self._waiting.lengths(names))
            errand.patience = self._loop.call_later(self._patience_seconds, self._give_up, errand)
            self._waiting.put(errand, names)
        try:
            return await errand.future
        finally:
            # An error remembers this frame: it would hold itself, and the request, until a garbage collection.
            del errand

    def close(self) -> None:
        """Let the threads end when they have done what they have."""
        for _ in self._threads:
            self._queue.put(None)

    def _give_up(self, errand: _Errand[Any]) -> None:
        if not errand.future.done():
            errand.future.set_exception(self._refusal())

    def _start_thread(self) -> None:
        number = len(self._threads) + 1
        thread = threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (errand := self._queue.get()) is not None:
            errand.run()
            try:
                self._loop.call_soon_threadsafe(self._settle, errand)
            except RuntimeError:
                # The loop is closed: nobody waits any more.
                return
            # Not kept while the thread sleeps: it may hold a body.
            del errand

    def _settle(self, errand: _Errand[Any]) -> None:
        errand.settle()
        while self._waiting:
            following = self._waiting.take()
            if following.patience is not None:
                following.patience.cancel()
            # Those who gave up or went away are passed by.
            if not following.future.done():
                self._queue.put(following)
                return
        self._busy -= 1
