"""Several connections that do the same for a while, each sending when its last request was answered."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ...errors import EventFlowError, NoAnswer, Problem
from ...requests import Answer, Request
from ..server import Server
from .measured import Measured, sum_up

_PAUSE_SECONDS: Final = 0.1


@dataclass(slots=True)
class Shift:
    """One connection's work: until `is_over`, it asks."""

    server: Server
    stopped: threading.Event
    ends_at: float = 0.0
    events: int = 0
    took: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    last_at: float = 0.0

    @property
    def is_over(self) -> bool:
        return self.stopped.is_set() or time.monotonic() >= self.ends_at

    def ask(self, request: Request) -> Answer | None:
        """Return the answer to the one attempt, and note how long it took; None if the server could not just now.

        Raises:
            Problem: refused for good.
        """
        began = time.monotonic()
        try:
            answer = self.server.transport.send_once(request)
        except (Problem, NoAnswer) as error:
            if isinstance(error, Problem) and not error.is_retryable:
                raise
            self._note(error)
            return None
        self.last_at = time.monotonic()
        self.took.append(self.last_at - began)
        return answer

    def _note(self, error: Problem | NoAnswer) -> None:
        self.refused[error.code if isinstance(error, Problem) else "no_answer"] += 1
        pause = (error.retry_after if isinstance(error, Problem) else None) or _PAUSE_SECONDS
        self.stopped.wait(min(pause, max(0.0, self.ends_at - time.monotonic())))


# What one connection does, given its number.
Work = Callable[[Shift, int], None]


def measure(name: str, server: Server, work: Work, *, connections: int, seconds: float) -> Measured:
    """Let so many connections do it for so long, and return what came of it.

    Raises:
        EventFlowError: what ended the first of them that was ended.
        KeyboardInterrupt: once all have been told to stop.
    """
    crew = _Crew(server, work, connections, seconds)
    try:
        crew.work_until_the_end()
    finally:
        crew.stopped.set()
    if crew.failures:
        raise crew.failures[0]
    last = max((shift.last_at for shift in crew.shifts), default=0.0)
    return sum_up(
        name,
        events=sum(shift.events for shift in crew.shifts),
        took=[each for shift in crew.shifts for each in shift.took],
        seconds=max(0.0, last - crew.began),
        refused=sum((shift.refused for shift in crew.shifts), Counter()),
        client_seconds=crew.client_seconds,
    )


class _Crew:
    def __init__(self, server: Server, work: Work, connections: int, seconds: float) -> None:
        self._server = server
        self._work = work
        self._seconds = seconds
        self._together = threading.Barrier(connections, action=self._begin)
        self.stopped = threading.Event()
        self.shifts = [Shift(server, self.stopped) for _ in range(connections)]
        self.failures: list[EventFlowError] = []
        self.began = 0.0
        self.client_seconds = 0.0

    def work_until_the_end(self) -> None:
        threads = [threading.Thread(target=self._run, args=each, daemon=True) for each in enumerate(self.shifts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.client_seconds += time.process_time()

    def _begin(self) -> None:
        self.began, self.client_seconds = time.monotonic(), -time.process_time()
        for shift in self.shifts:
            shift.ends_at = self.began + self._seconds

    def _run(self, number: int, shift: Shift) -> None:
        try:
            # Not measured: it makes the connection.
            self._server.me()
            self._together.wait()
            self._work(shift, number)
        except EventFlowError as error:
            self.failures.append(error)
            self.stopped.set()
            self._together.abort()
        except threading.BrokenBarrierError:
            # Another one has failed, and tells.
            return
