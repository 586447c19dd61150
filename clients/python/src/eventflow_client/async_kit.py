"""What differs between the asynchronous half and the synchronous one; `sync_kit` has the same names."""

import asyncio
import inspect
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from .batch_outcome import BatchOutcome
from .errors import Closed, EventFlowError, NotInTime
from .models import Appended

T = TypeVar("T")

# What a consumer is given to do its work with: a coroutine function, or a plain one, which gets a thread.
Handler = Callable[[T], Awaitable[None] | None]
# What is done for whoever goes on beside.
Work = Callable[[T], Awaitable[None]]
# What is iterated over without an end, and can be closed.
Following = AsyncGenerator[T, None]


async def sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def call(handler: Handler[T], given: T) -> None:
    """Let the handler work; a plain function holds up nobody else meanwhile."""
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004 - an object with such a method
        result = handler(given)
    else:
        result = await asyncio.to_thread(handler, given)
    if inspect.isawaitable(result):
        await result


class Gate:
    """Where some wait for something that others bring about."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until the predicate holds, but not longer than so many seconds; return whether it does."""
        deadline = time.monotonic() + timeout
        while not predicate():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await asyncio.wait([waiter], timeout=left)
            if waiter in self._waiting:
                self._waiting.remove(waiter)
        return True

    def notify_all(self) -> None:
        """Let all who wait look again."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)


class Shared:
    """What many tasks use. They share a thread, so it may be closed at once: whoever reads from it is told.

    Args:
        close: called when it has ended.
    """

    def __init__(self, close: Callable[[], Awaitable[Any]]) -> None:
        self._close = close
        self.is_ended = False

    @contextmanager
    def used(self) -> Iterator[None]:
        """Raises Closed where it has ended."""
        if self.is_ended:
            raise Closed("The client is closed.")
        yield

    @contextmanager
    def hung_up_at_end(self, _response: httpx.Response) -> Iterator[None]:
        """Raises Closed where it has ended."""
        if self.is_ended:
            raise Closed("The client was closed meanwhile.")
        yield

    async def end(self) -> None:
        """Let nobody begin to use it, and end what is under way."""
        self.is_ended = True
        await self._close()


class Crew:
    """Work that goes on beside the rest."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Callable[..., Coroutine[Any, Any, None]], *given: Any, name: str) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work(*given), name=name))

    async def join(self, timeout: float) -> bool:
        """Wait for all of it, but not longer than so many seconds; return whether it is over."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
        return all(task.done() for task in self._tasks)


class Outcome(BatchOutcome):
    """A batch's outcome that can be waited for, on the loop that sends."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = Gate()
        self.when_known(self._gate.notify_all)

    async def wait(self, timeout: float) -> bool:
        return await self._gate.wait_for(lambda: self.is_known, timeout)


class Pending:
    """An event that was taken to be sent. Await it for where it went, or look with `done`."""

    __slots__ = ("_index", "_outcome", "_seconds")

    def __init__(self, outcome: Outcome, index: int, seconds: float) -> None:
        self._outcome = outcome
        self._index = index
        self._seconds = seconds

    def __await__(self) -> Generator[Any, None, Appended]:
        return self.result().__await__()

    def done(self) -> bool:
        return self._outcome.is_known

    async def result(self, timeout: float | None = None) -> Appended:
        """Return where the event went; the producer gives up on it in time, so this ends even without a bound.

        Raises:
            Problem, NoAnswer: it was not stored; or nobody knows, if the error's `may_be_stored` says so.
            NotInTime: it is not known after so many seconds.
        """
        error = await self.exception(timeout)
        if error is not None:
            raise error
        told = self._outcome.of(self._index)
        assert isinstance(told, Appended)
        return told

    async def exception(self, timeout: float | None = None) -> EventFlowError | None:
        """Return why it was not stored, or None if it was.

        Raises:
            NotInTime
        """
        seconds = self._seconds if timeout is None else timeout
        if not self._outcome.is_known and not await self._outcome.wait(seconds):
            raise NotInTime(f"What became of the event is not known after {seconds:g} s.")
        told = self._outcome.of(self._index)
        return None if isinstance(told, Appended) else told

    def add_done_callback(self, callback: "Callable[[Pending], Any]") -> None:
        """Call with this once it is known; from where batches are sent, so be quick."""
        self._outcome.when_known(lambda: callback(self))


def at_exit(_close: Callable[[], Any]) -> Callable[[], None]:
    """Nothing: no loop runs any more when a program ends. Use `async with`, or `aclose`."""
    return lambda: None


def on_signals(stop: Callable[[], Any]) -> Callable[[], None]:
    """Call on SIGINT and SIGTERM instead of what else would happen; return how to take that back."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)

    def restore() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    return restore
