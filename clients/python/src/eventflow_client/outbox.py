"""Events that wait to be sent, in batches: which goes when, in which order. Nothing here waits or talks to anybody."""

import threading
import zlib
from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from .batch_outcome import BatchOutcome
from .errors import Closed

Outcome = TypeVar("Outcome", bound=BatchOutcome)


class Batch(Generic[Outcome]):
    """Events of one stream and lane that are sent together; others wait until it has ended."""

    __slots__ = ("bodies", "byte_count", "expires_at", "is_full", "lane", "linger_until", "outcome")

    def __init__(self, lane: "Lane[Outcome]", outcome: Outcome, *, linger_until: float, expires_at: float) -> None:
        self.lane = lane
        self.outcome = outcome
        self.linger_until = linger_until
        self.expires_at = expires_at
        self.bodies: list[bytes] = []
        self.byte_count = 0
        self.is_full = False


class Lane(Generic[Outcome]):
    """What goes one after another: a stream's events, or those of some of its keys."""

    __slots__ = ("batches", "is_busy", "number", "stream")

    def __init__(self, stream: str, number: int) -> None:
        self.stream = stream
        self.number = number
        self.batches: deque[Batch[Outcome]] = deque()
        self.is_busy = False


class Added(NamedTuple):
    """Where an event waits: its place within a batch; `is_news`: somebody who sends may have something to do now."""

    outcome: BatchOutcome
    place: int
    is_news: bool


class Limits(Protocol):
    """How batches are made: times in seconds, sizes in bytes."""

    @property
    def linger_seconds(self) -> float: ...
    @property
    def batch_events(self) -> int: ...
    @property
    def batch_bytes(self) -> int: ...
    @property
    def buffer_bytes(self) -> int: ...
    @property
    def give_up_seconds(self) -> float: ...
    @property
    def lanes(self) -> int: ...


class Outbox(Generic[Outcome]):
    """The events of one producer that are not settled; safe to use from many threads.

    Events of one stream and key are in one lane, and a lane has one batch under way at a time: so a batch that is
    tried again is never overtaken by a later event of the same key.
    """

    def __init__(self, limits: Limits, make_outcome: Callable[[], Outcome]) -> None:
        self._limits = limits
        self._make_outcome = make_outcome
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, int], Lane[Outcome]] = {}
        self._byte_count = 0
        self._flush_until = 0.0
        self._unsettled: dict[int, Batch[Outcome]] = {}
        self._is_closed = False

    def add(self, stream: str, key: str | None, body: bytes, now: float) -> Added | None:
        """Take an event, unless there is no room for it now.

        Raises:
            Closed
        """
        size = len(body) + 1
        limits = self._limits
        with self._lock:
            if self._is_closed:
                raise Closed("The producer is closed.")
            # An event that is larger than all the room there is gets in when it is alone.
            if self._byte_count + size > limits.buffer_bytes and self._byte_count:
                return None
            self._byte_count += size
            number = zlib.crc32(key.encode()) % limits.lanes if key is not None and limits.lanes > 1 else 0
            lane = self._lanes.get((stream, number))
            if lane is None:
                lane = self._lanes[stream, number] = Lane(stream, number)
            batch = lane.batches[-1] if lane.batches else None
            is_news = False
            if batch is None or batch.is_full or batch.byte_count + size > limits.batch_bytes:
                if batch is not None:
                    batch.is_full = True
                batch = Batch(
                    lane,
                    self._make_outcome(),
                    linger_until=now + limits.linger_seconds,
                    expires_at=now + limits.give_up_seconds,
                )
                self._unsettled[id(batch)] = batch
                lane.batches.append(batch)
                is_news = True
            batch.bodies.append(body)
            batch.byte_count += size
            if len(batch.bodies) >= limits.batch_events:
                batch.is_full = True
                is_news = True
            return Added(batch.outcome, len(batch.bodies) - 1, is_news)

    def take(self, now: float) -> Batch[Outcome] | None:
        """Return a batch to send now, whose lane is busy until `settle`; None: nothing is due."""
        with self._lock:
            for place, lane in self._lanes.items():
                if not lane.is_busy and self._is_due(lane.batches[0], now):
                    lane.is_busy = True
                    batch = lane.batches.popleft()
                    batch.is_full = True
                    # At the end of the line: no stream keeps another waiting.
                    del self._lanes[place]
                    self._lanes[place] = lane
                    return batch
            return None

    def seconds_until_due(self, now: float) -> float | None:
        """Return after how many seconds something may be due if nothing else happens; None: nothing waits."""
        with self._lock:
            waiting = [lane.batches[0].linger_until for lane in self._lanes.values() if not lane.is_busy]
            return max(0.0, min(waiting) - now) if waiting else None

    def settle(self, batch: Batch[Outcome]) -> None:
        """Say that a batch has ended, however it did: its lane goes on, and its room is free."""
        with self._lock:
            batch.lane.is_busy = False
            if not batch.lane.batches:
                del self._lanes[batch.lane.stream, batch.lane.number]
            self._byte_count -= batch.byte_count
            del self._unsettled[id(batch)]

    def flush(self, now: float) -> list[BatchOutcome]:
        """Make all that waits due; return the outcomes of everything that is not settled."""
        with self._lock:
            for batch in self._unsettled.values():
                batch.linger_until = min(batch.linger_until, now)
            return [batch.outcome for batch in self._unsettled.values()]

    def close(self) -> None:
        """Take nothing more: those who send may go once it is empty."""
        with self._lock:
            self._is_closed = True

    def abandon(self) -> list[Batch[Outcome]]:
        """Forget the batches that nobody has begun to send, and return them."""
        with self._lock:
            left = [batch for lane in self._lanes.values() for batch in lane.batches]
            for batch in left:
                batch.lane.batches.clear()
                self._byte_count -= batch.byte_count
                del self._unsettled[id(batch)]
            self._lanes = {place: lane for place, lane in self._lanes.items() if lane.is_busy}
            return left

    @property
    def is_empty(self) -> bool:
        return not self._unsettled

    @property
    def byte_count(self) -> int:
        """Bytes of the events that are not settled."""
        return self._byte_count

    def _is_due(self, batch: Batch[Outcome], now: float) -> bool:
        return batch.is_full or batch.linger_until <= now
