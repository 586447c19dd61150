"""Calls for the same thing that come at the same time share a transaction, as appends share a commit.

The first call of a lane leads: it is carried out at once. What comes while its transaction is under way queues; when it
has ended, the first in the queue leads all that have come. So a call that is alone waits for nobody and hands its work
to no other thread, and under load the transactions grow by themselves: whoever leads on an event loop waits for as many
as came last time, though not for long, since a small transaction costs as much as a large one. A call that fails alone
fails no other.

Whoever waits holds no database connection, and on an event loop no thread: only leaders do. Each process has lanes of
its own; what keeps processes apart are the database's locks.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from enum import Enum
from functools import partial
from typing import Any, Final, Generic, TypeVar

import psycopg
from django.db import connection
from django.db.utils import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from accounts.company import Company
from accounts.database_threads import in_database_thread
from accounts.latches import LoopLatch, ThreadLatch, open_all
from accounts.waits import running_loop

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

# Carries out what several calls ask, in one transaction, and returns what then makes the answer or the error of each:
# reading what was leased, say. The next transaction does not wait for that.
Commit = Callable[[Sequence[Asked]], Callable[[], Sequence[Answer | Exception]]]

_SERVER_TROUBLE: Final = (OperationalError, InterfaceError, PoolTimeout)
# How long a call waits for its turn; after that it is withdrawn, and nothing was changed.
QUEUE_TIMEOUT_SECONDS: Final = 8.0
# From its turn on: longer than its statements may take.
TURN_TIMEOUT_SECONDS: Final = 60.0
# Deliveries that the calls of one transaction name or ask for, at most, so that those who come next wait no longer.
MAX_SHARED_DELIVERIES: Final = 1_000
# How long one that leads waits for as many as came last time, at most.
GATHER_SECONDS: Final = 0.01
# Lanes of which is known how many came last time.
_MAX_COMPANIES: Final = 10_000


class State(Enum):
    """Where a call stands: QUEUED -> TAKEN -> DONE, with LEADS before TAKEN for the one that carries out the others.

    WITHDRAWN is what was not TAKEN before its caller went away or had waited too long.
    """

    QUEUED = 1
    LEADS = 2
    TAKEN = 3
    DONE = 4
    WITHDRAWN = 5


class Call(Generic[Asked, Answer]):
    """One call on its way: what it asks, a latch to wait on, and in the end its outcome.

    Args:
        size: how many deliveries it names or asks for.

    Attributes:
        gathers: it is to lead, and waits for company.
    """

    __slots__ = ("_outcome", "asked", "commit", "gathers", "latch", "size", "state")

    def __init__(self, asked: Asked, commit: Commit[Asked, Answer], size: int) -> None:
        self.asked = asked
        self.commit = commit
        self.size = size
        self.latch = ThreadLatch() if running_loop() is None else LoopLatch()
        self.state = State.QUEUED
        self.gathers = False
        self._outcome: Answer | Exception = OperationalError("This call has no outcome yet.")

    def settle(self, outcome: Answer | Exception) -> None:
        """Keep the outcome. Whoever calls this opens the latch afterwards."""
        self._outcome = outcome
        self.state = State.DONE

    async def wait(self, seconds: float) -> bool:
        """Wait at most so long until it is its turn, or its outcome is there; whether that was so."""
        return await self.latch.wait(seconds) if isinstance(self.latch, LoopLatch) else self.latch.wait(seconds)

    def outcome(self) -> Answer:
        """Return the answer or raise what went wrong; only once the latch is open."""
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class _Lane:
    """A lane that somebody leads: who that is, those who queue, and for how many of them it waits before it leads."""

    __slots__ = ("expected", "leader", "queue")

    def __init__(self, leader: Call[Any, Any]) -> None:
        self.leader = leader
        self.queue: deque[Call[Any, Any]] = deque()
        self.expected = 0


class Lanes:
    """The calls that wait for their turn, by what they ask for. Safe in every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Those that somebody leads, and no others.
        self._lanes: dict[Hashable, _Lane] = {}
        self._companies: dict[Hashable, Company] = {}

    def enter(self, lane: Hashable, call: Call[Any, Any]) -> None:
        """Let the call lead its lane, if nobody does, or queue."""
        with self._lock:
            led = self._lanes.get(lane)
            if led is None:
                led = self._lanes[lane] = _Lane(call)
                self._lead_next(lane, led, call)
                return
            led.queue.append(call)
            leader = led.leader
            if not leader.gathers or len(led.queue) < led.expected:
                return
            leader.gathers = False
        open_all([leader.latch])

    def _lead_next(self, lane: Hashable, led: _Lane, leader: Call[Any, Any]) -> None:
        """Let a call lead: at once, unless there was company a moment ago that has not come yet."""
        led.leader, leader.state = leader, State.LEADS
        company = self._companies.get(lane)
        led.expected = company.expected if company else 0
        # In a thread it would hold up what its caller has in hand.
        leader.gathers = leader.latch.loop is not None and led.expected > len(led.queue)

    def leave(self, lane: Hashable, call: Call[Any, Any]) -> bool:
        """Take a call back, unless it was taken; whether that was so. If it was to lead, the next one does."""
        with self._lock:
            before, is_early = call.state, call.state in (State.QUEUED, State.LEADS)
            if is_early:
                call.state = State.WITHDRAWN
        if before is State.LEADS:
            self._hand_over(lane)
        return is_early

    def lead(self, lane: Hashable, leader: Call[Any, Any]) -> None:
        """Carry out the leader's call with all that have queued, and settle them; the next one leads meanwhile."""
        calls = self._take(lane, leader)
        if not calls:
            # Its caller went away while it waited for a thread.
            return
        # For the case that this thread is told to end: nobody shall wait for ever.
        outcomes: Sequence[Any] = [OperationalError("Whoever carried this out was stopped.")] * len(calls)
        try:
            try:
                answer = _carry_out(leader.commit, [call.asked for call in calls])
            finally:
                self._hand_over(lane, came=len(calls))
            outcomes = answer()
        except Exception as error:  # noqa: BLE001 - whatever it is, each waiting call must be told
            outcomes = [error] * len(calls)
        finally:
            for call, outcome in zip(calls, outcomes, strict=True):
                # An exception that several threads raise would mix up their tracebacks.
                call.settle(_twin(outcome) if isinstance(outcome, Exception) and call is not leader else outcome)
            open_all(call.latch for call in calls)

    def _take(self, lane: Hashable, leader: Call[Any, Any]) -> list[Call[Any, Any]]:
        with self._lock:
            if leader.state is not State.LEADS:
                return []
            leader.state = State.TAKEN
            taken, room = [leader], MAX_SHARED_DELIVERIES - leader.size
            queue = self._lanes[lane].queue
            while queue and room >= queue[0].size:
                call = queue.popleft()
                if call.state is State.QUEUED:
                    call.state = State.TAKEN
                    room -= call.size
                    taken.append(call)
        return taken

    def _hand_over(self, lane: Hashable, *, came: int | None = None) -> None:
        """Let the next one lead, if there is one: after `came` calls were carried out together, or who led has left."""
        with self._lock:
            if came is not None:
                self._note(lane, came)
            led = self._lanes[lane]
            while led.queue:
                call = led.queue.popleft()
                if call.state is State.QUEUED:
                    self._lead_next(lane, led, call)
                    break
            else:
                del self._lanes[lane]
                return
        open_all([call.latch])

    def _note(self, lane: Hashable, came: int) -> None:
        if came == 1:
            self._companies.pop(lane, None)
            return
        company = self._companies.get(lane)
        if company is None:
            if len(self._companies) >= _MAX_COMPANIES:
                self._companies.clear()
            company = self._companies[lane] = Company()
        company.note(came)


_lanes = Lanes()


async def share(lane: Hashable, asked: Asked, commit: Commit[Asked, Answer], *, size: int = 1) -> Answer:
    """Carry out a call together with others of its lane, and return its answer or raise its error.

    Within a transaction of the caller's own it is carried out there, alone.

    Args:
        size: how many deliveries it names or asks for.
    """
    call = Call(asked, commit, size)
    if running_loop() is None and connection.in_atomic_block:
        call.settle(commit([asked])()[0])
        return call.outcome()
    _lanes.enter(lane, call)
    try:
        if call.state is State.QUEUED:
            _give_up_connection()
            if not await call.wait(QUEUE_TIMEOUT_SECONDS) and _lanes.leave(lane, call):
                late = "Others were working on the same group for too long."
                raise OperationalError(late) from psycopg.errors.LockNotAvailable(late)
        if call.state is State.LEADS:
            if call.gathers:
                await call.wait(GATHER_SECONDS)
                call.gathers = False
            await in_database_thread(partial(_lanes.lead, lane, call))
        if call.state is State.TAKEN and not await call.wait(TURN_TIMEOUT_SECONDS):
            raise OperationalError("Whoever carries this out does not answer.")
    finally:
        _lanes.leave(lane, call)
    return call.outcome()


def _give_up_connection() -> None:
    """Hold no place of the pool while waiting: whoever leads may need it. (On a loop nobody does.)"""
    if running_loop() is None and getattr(connection, "pool", None):
        connection.close()


def _carry_out(commit: Commit[Asked, Answer], asked: Sequence[Asked]) -> Callable[[], Sequence[Answer | Exception]]:
    """Commit together; if one of several cannot be carried out, each alone, so that none fails for its neighbour."""
    try:
        return commit(asked)
    except _SERVER_TROUBLE:
        # The server's trouble is everybody's. Tried one by one they would hold up who comes next.
        raise
    except Exception:
        if len(asked) == 1:
            raise
    return _carry_out_each(commit, asked)


def _carry_out_each(
    commit: Commit[Asked, Answer], asked: Sequence[Asked]
) -> Callable[[], Sequence[Answer | Exception]]:
    answers: list[Callable[[], Sequence[Answer | Exception]]] = []
    trouble: Exception | None = None
    for each in asked:
        try:
            answers.append(commit([each]) if trouble is None else partial(list, [trouble]))
        except Exception as error:  # noqa: BLE001 - it is the answer to this call
            answers.append(partial(list, [error]))
            trouble = error if isinstance(error, _SERVER_TROUBLE) else None
    return lambda: [answer()[0] for answer in answers]


def _twin(error: Exception) -> Exception:
    twin = type(error).__new__(type(error), *error.args)
    vars(twin).update(vars(error))
    twin.__cause__ = error.__cause__
    return twin


def _forget_in_child() -> None:
    """A forked child has none of its parent's threads."""
    global _lanes  # noqa: PLW0603 - one for each process is the point
    _lanes = Lanes()


os.register_at_fork(after_in_child=_forget_in_child)
