"""Requests that append at the same time share a commit.

One thread of each process, the flusher, takes all that arrived while the previous commit was under way
and stores it in one transaction. Where several came last time it waits for as many, if only for a moment. A request
waits for that commit and is answered with its own offsets.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import Final

import psycopg

from accounts.company import Company
from accounts.latches import LoopLatch, ThreadLatch
from accounts.long_work import off_the_loop_if_long
from accounts.process_id import process_id
from streams.conf import COMMIT_TIMEOUT_SECONDS, MAX_COMMIT_BYTES
from streams.errors import AppendNotStored, AppendOutcomeUnknown
from streams.log.commit import NotDurable
from streams.log.flusher import Flusher
from streams.log.pending import PendingAppend, StandingQuestion
from streams.log.protocol import Appended, PartitionAppend, Receipt
from streams.log.refusals import LATE, SHUTTING_DOWN, describe_refusal
from streams.log.settling import answer_all
from streams.record_lines import size_of

# How long a request waits until the flusher takes it; after that it is withdrawn and was not stored.
QUEUE_TIMEOUT_SECONDS: Final = 2.5
CLOSE_TIMEOUT_SECONDS: Final = 9.0
# How long the flusher waits for each request that it expects, and for all of them, at most.
GATHER_SECONDS_EACH: Final = 0.001
GATHER_SECONDS: Final = 0.004
# To be woken by each of them would cost more than to look now and again.
_GATHER_STEP_SECONDS: Final = 0.0005


class GroupCommitter:
    """Stores requests of many threads and loops; `append` is safe in all of them.

    Args:
        on_commit: told the new head of each partition after every commit, in the flusher's thread.
    """

    def __init__(self, on_commit: Callable[[Mapping[int, int]], None]) -> None:
        self._on_commit = on_commit
        self._start_lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._pid = process_id()
        self._thread: threading.Thread | None = None
        self._flusher = Flusher(self._on_commit)
        self._questions: deque[StandingQuestion] = deque()
        # A None only wakes the flusher, so that it sees a question, or that it shall end.
        self._queue: SimpleQueue[PendingAppend | None] = SimpleQueue()
        self._is_closed = False
        self._company = Company()

    def append(self, appends: Sequence[PartitionAppend], receipt: Receipt | None) -> Appended:
        """Store the request and return its outcome, as `Log.append` promises."""
        self._get_ready(appends)
        latch = ThreadLatch()
        request = PendingAppend(appends, receipt, latch)
        self._queue.put(request)
        if not latch.wait(QUEUE_TIMEOUT_SECONDS):
            self._withdraw(request)
            if not latch.wait(COMMIT_TIMEOUT_SECONDS - QUEUE_TIMEOUT_SECONDS):
                self._give_up()
        return request.outcome()

    async def append_async(self, appends: Sequence[PartitionAppend], receipt: Receipt | None) -> Appended:
        """Do what `append` does, and let the loop go on meanwhile."""
        self._get_ready(appends)
        latch = LoopLatch()
        size = sum(size_of(append.records) for append in appends)
        # What is long compresses itself.
        request = await off_the_loop_if_long(partial(PendingAppend, appends, receipt, latch), size=size)
        self._queue.put(request)
        if not await latch.wait(QUEUE_TIMEOUT_SECONDS):
            self._withdraw(request)
            if not await latch.wait(COMMIT_TIMEOUT_SECONDS - QUEUE_TIMEOUT_SECONDS):
                self._give_up()
        return request.outcome()

    def find_refusal(self) -> str | None:
        """Ask PostgreSQL the way an append goes: why one would be refused now, or None if it would not."""
        question = StandingQuestion()
        try:
            self._ensure_running()
        except AppendNotStored:
            return SHUTTING_DOWN
        self._questions.append(question)
        self._queue.put(None)
        if not question.latch.wait(QUEUE_TIMEOUT_SECONDS):
            self._flusher.give_up_question(question)
            return LATE
        return question.refusal

    def close(self) -> None:
        """Store what was accepted, then stop; later appends are refused."""
        self._is_closed = True
        if self._pid == process_id() and self._thread is not None and self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(CLOSE_TIMEOUT_SECONDS)

    def _get_ready(self, appends: Sequence[PartitionAppend]) -> None:
        if not appends or not all(append.records for append in appends):
            raise ValueError("an append holds at least one event for each of its partitions")
        self._ensure_running()

    def _withdraw(self, request: PendingAppend) -> None:
        """Take a request back that has waited for long, unless its commit has begun."""
        if self._flusher.withdraw(request):
            raise AppendNotStored

    def _give_up(self) -> None:
        self._flusher.give_up()
        raise AppendOutcomeUnknown

    def _ensure_running(self) -> None:
        if self._pid == process_id() and self._thread is not None and self._thread.is_alive() and not self._is_closed:
            return
        with self._start_lock:
            if self._pid != process_id():
                # A forked child must not touch its parent's connection, not even to close it.
                self._reset()
            if self._is_closed:
                raise AppendNotStored("The server is shutting down. Nothing was stored; retry.")
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="eventflow-flusher", daemon=True)
                self._thread.start()

    # --- the flusher's thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._is_closed and self._queue.empty() and not self._flusher.postponed):
            waiting = self._next_requests()
            questions = self._asked()
            if not waiting and not questions:
                continue
            try:
                session = self._flusher.connect()
            except (psycopg.Error, NotDurable, OSError) as error:
                # Those who came while it tried to connect have waited as long as a client should.
                self._flusher.refuse([*waiting, *self._arrived(MAX_COMMIT_BYTES)], error)
                answer_all(questions, describe_refusal(error))
            else:
                if waiting:
                    self._flusher.commit(session, waiting)
                    self._company.note(len(waiting))
                if questions:
                    self._flusher.answer(questions)
        self._flusher.disconnect()

    def _next_requests(self) -> list[PendingAppend]:
        """Wait for a request and return it with the others that are there; empty when woken for nothing."""
        waiting, self._flusher.postponed = self._flusher.postponed, []
        if not waiting:
            first = self._queue.get()
            if first is None:
                return []
            waiting = [first]
        self._gather()
        return waiting + self._arrived(MAX_COMMIT_BYTES - sum(request.size for request in waiting))

    def _gather(self) -> None:
        """Wait for as many requests as came last time, though not for long: a small commit costs as much as a large."""
        expected = self._company.expected
        latest = monotonic() + min(expected * GATHER_SECONDS_EACH, GATHER_SECONDS)
        while self._queue.qsize() < expected and monotonic() < latest:
            sleep(_GATHER_STEP_SECONDS)

    def _asked(self) -> list[StandingQuestion]:
        """Return the questions that are there by now."""
        return [self._questions.popleft() for _ in range(len(self._questions))]

    def _arrived(self, max_bytes: int) -> list[PendingAppend]:
        """Return what is in the queue by now, until its size reaches `max_bytes`."""
        arrived: list[PendingAppend] = []
        try:
            while max_bytes > 0 and (request := self._queue.get_nowait()) is not None:
                arrived.append(request)
                max_bytes -= request.size
        except Empty:
            pass
        return arrived
