"""What came together and is finished together: a delivery, or what one poll brought. Safe to use from many threads."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from .failures import Failure
from .models import Delivery, Event


@dataclass(slots=True, eq=False)
class Task:
    """What a handler is given at once."""

    chunk: "Chunk"
    events: Sequence[Event]


class Chunk:
    """Events with their outcomes so far.

    Args:
        delivery: what it is of, in lease mode: once one of its tasks was begun, all of them are done.
        ends_at_failure: begin nothing more of it once something has failed.
    """

    def __init__(
        self, events: Sequence[Event], *, delivery: Delivery | None = None, ends_at_failure: bool = False
    ) -> None:
        self.events = events
        self.delivery = delivery
        self.failures: dict[tuple[int, int], Failure] = {}
        self.is_lost = False
        self._ends_at_failure = ends_at_failure
        self._lock = threading.Lock()
        self._left = 0
        self._begun = 0
        self._is_withdrawn = False
        self._finished: set[tuple[int, int]] = set()

    def tasks(self, *, is_batched: bool) -> list[Task]:
        """Return what handlers are to be given: single events, or all of a partition together."""
        groups: list[list[Event]] = []
        if is_batched:
            of_partition: dict[int, list[Event]] = {}
            for event in self.events:
                of_partition.setdefault(event.partition, []).append(event)
            groups = list(of_partition.values())
        else:
            groups = [[event] for event in self.events]
        self._left = len(groups)
        return [Task(self, group) for group in groups]

    def begin(self) -> bool:
        """Say whether a task of it may be begun."""
        with self._lock:
            if self.is_lost or self._is_withdrawn:
                return False
            self._begun += 1
            return True

    def finish(self, task: Task, *, is_done: bool) -> bool:
        """Note that a task was done, or left out; return whether it was the last one."""
        with self._lock:
            if is_done:
                self._finished.update((event.partition, event.offset) for event in task.events)
            self._left -= 1
            return self._left == 0

    def fail(self, event: Event, failure: Failure) -> None:
        with self._lock:
            self.failures[event.partition, event.offset] = failure
            self._is_withdrawn |= self._ends_at_failure

    def settle(self, event: Event) -> None:
        """Its failure was dealt with: it is finished."""
        with self._lock:
            del self.failures[event.partition, event.offset]

    def failed_events(self) -> list[Event]:
        with self._lock:
            return [event for event in self.events if (event.partition, event.offset) in self.failures]

    def withdraw(self) -> bool:
        """Begin nothing of it any more; False: it is a delivery that was begun."""
        with self._lock:
            if self.delivery is not None and self._begun:
                return False
            self._is_withdrawn = True
            return True

    @property
    def is_over(self) -> bool:
        return self._left == 0

    @property
    def is_whole(self) -> bool:
        """All of its events were handled, with whatever outcome."""
        with self._lock:
            return len(self._finished) == len(self.events)

    def finished_up_to(self) -> dict[int, int]:
        """Return by partition the last offset up to which nothing is unfinished or failed."""
        with self._lock:
            reached: dict[int, int] = {}
            stopped: set[int] = set()
            for event in self.events:
                if event.partition in stopped:
                    continue
                place = (event.partition, event.offset)
                if place in self._finished and place not in self.failures:
                    reached[event.partition] = event.offset
                else:
                    stopped.add(event.partition)
            return reached


@dataclass(slots=True)
class Held:
    """Deliveries that this consumer has, by id."""

    chunks: dict[int, Chunk] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, chunk: Chunk) -> None:
        assert chunk.delivery is not None
        with self.lock:
            self.chunks[chunk.delivery.delivery_id] = chunk

    def drop(self, chunk: Chunk) -> bool:
        """Return whether it was still there."""
        assert chunk.delivery is not None
        with self.lock:
            return self.chunks.pop(chunk.delivery.delivery_id, None) is not None

    def all(self) -> list[Chunk]:
        with self.lock:
            return list(self.chunks.values())
