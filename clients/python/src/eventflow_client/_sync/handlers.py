# Made from ../_async by generate.py: change that, not this.
"""Handlers at work: each takes its tasks one after another."""

import logging
from collections import deque
from collections.abc import Sequence

from ..sync_kit import Crew, Gate, Handler, Work, call
from ..chunks import Chunk, Task
from ..failures import SomeFailed, failure_of
from ..models import Event
from ..tracing import traced

_log = logging.getLogger("eventflow_client")
_LOOK_SECONDS = 5.0


class Handlers:
    """
    Args:
        each: is given one event at a time; or
        batch: is given all events of a task.
        when_over: called with a chunk whose last task has ended.
    """

    def __init__(
        self,
        count: int,
        *,
        each: Handler[Event] | None,
        batch: Handler[Sequence[Event]] | None,
        when_over: Work[Chunk],
    ) -> None:
        self._each = each
        self._batch = batch
        self._when_over = when_over
        self._queues: list[deque[Task]] = [deque() for _ in range(count)]
        self._crew = Crew()
        self._is_over = False
        self.gate = Gate()
        for number in range(count):
            self._crew.start(self._work, number, name=f"eventflow-handler-{number}")

    @property
    def queued(self) -> int:
        """How many tasks nobody has begun."""
        return sum(map(len, self._queues))

    def put(self, task: Task, lane: int) -> None:
        self._queues[lane].append(task)

    def go_on(self) -> None:
        """Let everybody look at what was put, or has changed."""
        self.gate.notify_all()

    def finish(self, timeout: float) -> bool:
        """Let what was put be done, and end; return whether that came true within so many seconds."""
        self._is_over = True
        self.gate.notify_all()
        return self._crew.join(timeout)

    def _work(self, number: int) -> None:
        queue = self._queues[number]
        while True:
            if not queue:
                self.gate.wait_for(lambda: bool(queue) or self._is_over, _LOOK_SECONDS)
            if queue:
                self._do(queue.popleft())
            elif self._is_over:
                return

    def _do(self, task: Task) -> None:
        is_begun = task.chunk.begin()
        # Whoever fetches may fetch more.
        self.gate.notify_all()
        is_done = False
        try:
            if is_begun:
                self._handle(task)
                is_done = True
        finally:
            if task.chunk.finish(task, is_done=is_done):
                try:
                    self._when_over(task.chunk)
                except Exception:  # noqa: BLE001 - the handlers of all other events live on
                    _log.exception("what a chunk has come to could not be told")
                self.gate.notify_all()

    def _handle(self, task: Task) -> None:
        try:
            if self._batch is not None:
                call(self._batch, task.events)
            else:
                assert self._each is not None
                with traced(task.events[0].traceparent):
                    call(self._each, task.events[0])
        except SomeFailed as some:
            for event in task.events:
                if event.offset in some.failed:
                    task.chunk.fail(event, failure_of(some.failed[event.offset]))
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is its event's error
            _log.info("a handler failed", exc_info=True)
            failure = failure_of(error)
            for event in task.events:
                task.chunk.fail(event, failure)
