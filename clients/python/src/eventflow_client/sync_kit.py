"""What differs between the synchronous half and the asynchronous one; `async_kit` has the same names."""

import atexit
import signal
import socket
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import httpx

from .batch_outcome import BatchOutcome
from .errors import Closed, EventFlowError, NotInTime
from .models import Appended

T = TypeVar("T")

# What a consumer is given to do its work with.
Handler = Callable[[T], None]
# What is done for whoever goes on beside.
Work = Callable[[T], None]
# What is iterated over without an end, and can be closed.
Following = Generator[T, None, None]


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def call(handler: Handler[T], given: T) -> None:
    handler(given)


class Gate:
    """Where some wait for something that others bring about."""

    def __init__(self) -> None:
        # One that a callback from within may take again.
        self._condition = threading.Condition(threading.RLock())

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until the predicate holds, but not longer than so many seconds; return whether it does."""
        with self._condition:
            return self._condition.wait_for(predicate, timeout)

    def notify_all(self) -> None:
        """Let all who wait look again."""
        with self._condition:
            self._condition.notify_all()


class Shared:
    """What many threads use, and what is closed with the last of them that does.

    A descriptor that is closed under a thread which reads from it may be somebody else's by the time that it reads.

    Args:
        close: called once, when it has ended and nobody uses it.
    """

    def __init__(self, close: Callable[[], Any]) -> None:
        self._close = close
        # One that a signal's handler may take again.
        self._lock = threading.RLock()
        self._users = 0
        self._sockets: list[socket.socket] = []
        self.is_ended = False

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within the block it stays open.

        Raises:
            Closed: it has ended.
        """
        with self._lock:
            if self.is_ended:
                raise Closed("The client is closed.")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                is_free = self.is_ended and self._users == 0
            if is_free:
                self._close()

    @contextmanager
    def hung_up_at_end(self, response: httpx.Response) -> Iterator[None]:
        """Within the block, the end is the end of an answer that goes on: its reader need not wait for what comes next.

        Raises:
            Closed: it has ended.
        """
        stream = response.extensions.get("network_stream")
        found = None if stream is None else stream.get_extra_info("socket")
        with self._lock:
            if self.is_ended:
                raise Closed("The client was closed meanwhile.")
            if found is not None:
                self._sockets.append(found)
        try:
            yield
        finally:
            with self._lock:
                if found is not None:
                    self._sockets.remove(found)

    def end(self) -> None:
        """Let nobody begin to use it. What is under way is finished first; answers without an end are hung up on."""
        with self._lock:
            is_first, self.is_ended = not self.is_ended, True
            for each in self._sockets:
                with suppress(OSError):
                    # Its reader is told, and closes it. Not as TLS would have it: that is the reader's as well.
                    socket.socket.shutdown(each, socket.SHUT_RDWR)
            is_free = is_first and self._users == 0
        if is_free:
            self._close()


class Crew:
    """Work that goes on beside the rest."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def start(self, work: Callable[..., None], *given: Any, name: str) -> None:
        # A program that ends does not wait for them: what they have in hand is what `at_exit` is for.
        thread = threading.Thread(target=work, args=given, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for all of it, but not longer than so many seconds; return whether it is over."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)


class Outcome(BatchOutcome):
    """A batch's outcome that can be waited for, from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self._known = threading.Event()
        self.when_known(self._known.set)

    def wait(self, timeout: float) -> bool:
        return self._known.wait(timeout)


class Pending:
    """An event that was taken to be sent: ask for its `result`, or look with `done`."""

    __slots__ = ("_index", "_outcome", "_seconds")

    def __init__(self, outcome: Outcome, index: int, seconds: float) -> None:
        self._outcome = outcome
        self._index = index
        self._seconds = seconds

    def done(self) -> bool:
        return self._outcome.is_known

    def result(self, timeout: float | None = None) -> Appended:
        """Return where the event went; the producer gives up on it in time, so this ends even without a bound.

        Raises:
            Problem, NoAnswer: it was not stored; or nobody knows, if the error's `may_be_stored` says so.
            NotInTime: it is not known after so many seconds.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        told = self._outcome.of(self._index)
        assert isinstance(told, Appended)
        return told

    def exception(self, timeout: float | None = None) -> EventFlowError | None:
        """Return why it was not stored, or None if it was.

        Raises:
            NotInTime
        """
        seconds = self._seconds if timeout is None else timeout
        if not self._outcome.is_known and not self._outcome.wait(seconds):
            raise NotInTime(f"What became of the event is not known after {seconds:g} s.")
        told = self._outcome.of(self._index)
        return None if isinstance(told, Appended) else told

    def add_done_callback(self, callback: "Callable[[Pending], Any]") -> None:
        """Call with this once it is known; from the thread that sends, so be quick."""
        self._outcome.when_known(lambda: callback(self))


def at_exit(close: Callable[[], Any]) -> Callable[[], None]:
    """Call the method when the program ends, if its object is still there; return how to take that back."""
    method = weakref.WeakMethod(close)

    def close_if_there() -> None:
        if (found := method()) is not None:
            found()

    atexit.register(close_if_there)
    return lambda: atexit.unregister(close_if_there)


def on_signals(stop: Callable[[], Any]) -> Callable[[], None]:
    """Call on SIGINT and SIGTERM instead of what else would happen; return how to take that back."""
    before = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore
