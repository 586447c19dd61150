"""Requests that append at the same time share a commit.

One thread of each process, the flusher, takes all that arrived while the previous commit was under way
and stores it in one transaction. A request waits for that commit and is answered with its own offsets.
"""

import logging
import os
import select
import threading
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final

import psycopg

from accounts.errors import IdempotencyInProgress, IdempotencyKeyReused
from streams.conf import COMMIT_TIMEOUT_SECONDS, MAX_COMMIT_BYTES
from streams.errors import AppendNotStored, AppendOutcomeUnknown, PartitionGone
from streams.log.commit import (
    ALONE_LOCK_TIMEOUT,
    KEY_REUSED,
    LOCK_TIMEOUT,
    ClaimWaits,
    CommitSession,
    NotDurable,
    PartitionsMissing,
)
from streams.log.connections import cut
from streams.log.pending import PendingAppend, State
from streams.log.protocol import Appended, PartitionAppend, Receipt

logger = logging.getLogger(__name__)

# How long a request waits until the flusher takes it; after that it is withdrawn and was not stored.
QUEUE_TIMEOUT_SECONDS: Final = 2.5
# How long requests are tried one by one after their common commit failed.
ALONE_SECONDS: Final = 3.0
CLOSE_TIMEOUT_SECONDS: Final = 9.0


class GroupCommitter:
    """Stores requests of many threads; `append` is safe in all of them.

    Args:
        on_commit: told the new head of each partition after every commit, in the flusher's thread.
    """

    def __init__(self, on_commit: Callable[[Mapping[int, int]], None]) -> None:
        self._on_commit = on_commit
        self._start_lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._thread: threading.Thread | None = None
        # Guards the step from QUEUED to TAKEN or WITHDRAWN, and the socket that a late request may cut.
        self._lock = threading.Lock()
        self._queue: SimpleQueue[PendingAppend | None] = SimpleQueue()
        # Requests that followed another with the same idempotency key, which failed: they try again themselves.
        self._postponed: list[PendingAppend] = []
        self._session: CommitSession | None = None
        self._in_flight: CommitSession | None = None
        self._is_closed = False

    # --- the request's side --------------------------------------------------------------------------

    def append(self, appends: Sequence[PartitionAppend], receipt: Receipt | None) -> Appended:
        """Store the request and return its outcome, as `Log.append` promises."""
        if not appends or not all(append.records for append in appends):
            raise ValueError("an append holds at least one event for each of its partitions")
        self._ensure_running()
        request = PendingAppend(appends, receipt)
        self._queue.put(request)
        if not request.latch.acquire(timeout=QUEUE_TIMEOUT_SECONDS):
            self._wait_longer(request)
        return request.outcome()

    def _wait_longer(self, request: PendingAppend) -> None:
        with self._lock:
            if request.state is State.QUEUED:
                request.state = State.WITHDRAWN
                raise AppendNotStored
        if not request.latch.acquire(timeout=COMMIT_TIMEOUT_SECONDS - QUEUE_TIMEOUT_SECONDS):
            self._give_up_on_server()
            raise AppendOutcomeUnknown

    def _give_up_on_server(self) -> None:
        """Cut the connection on which the flusher waits for a server that does not answer.

        Its statement may still be carried out: those who wait for it get the outcome *unknown*.
        """
        with self._lock:
            if self._in_flight is not None:
                cut(self._in_flight.connection)

    def _ensure_running(self) -> None:
        if self._pid == os.getpid() and self._thread is not None and self._thread.is_alive() and not self._is_closed:
            return
        with self._start_lock:
            if self._pid != os.getpid():
                # A forked child must not touch its parent's connection, not even to close it.
                self._reset()
            if self._is_closed:
                raise AppendNotStored("The server is shutting down. Nothing was stored; retry.")
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="eventflow-flusher", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Store what was accepted, then stop; later appends are refused."""
        self._is_closed = True
        if self._pid == os.getpid() and self._thread is not None and self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(CLOSE_TIMEOUT_SECONDS)

    # --- the flusher's side --------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._is_closed and self._queue.empty() and not self._postponed):
            requests = self._next_requests()
            if requests:
                self._commit_safely(requests)
        self._disconnect()

    def _next_requests(self) -> list[PendingAppend]:
        """Wait for a request and return it with all the others that are there; empty when told to stop."""
        waiting, self._postponed = self._postponed, []
        if not waiting:
            first = self._queue.get()
            if first is None:
                return []
            waiting = [first]
        size = sum(request.size for request in waiting)
        try:
            while size < MAX_COMMIT_BYTES and (request := self._queue.get_nowait()) is not None:
                waiting.append(request)
                size += request.size
        except Empty:
            pass
        return waiting

    def _commit_safely(self, waiting: list[PendingAppend]) -> None:
        try:
            session = self._connected_session()
        except (psycopg.Error, NotDurable, OSError) as error:
            self._refuse_all(waiting, error)
            return
        requests = self._take(waiting)
        with self._lock:
            self._in_flight = session
        try:
            self._commit(session, requests)
        except Exception:
            logger.exception("the flusher failed; its requests are told that their outcome is unknown")
            self._disconnect()
        with self._lock:
            self._in_flight = None
        for request in requests:
            if request.state is State.TAKEN:
                request.finish(error=AppendOutcomeUnknown())
            self._settle_followers(request)

    def _settle_followers(self, request: PendingAppend) -> None:
        """Answer those that had the same idempotency key in the same commit."""
        for follower in request.followers:
            if request.result is None:
                follower.state = State.QUEUED
                self._postponed.append(follower)
            elif follower.request_hash == request.request_hash:
                follower.finish(result=Appended(ranges=(), body=request.result.body, is_replay=True))
            else:
                follower.finish(error=IdempotencyKeyReused(KEY_REUSED))

    def _take(self, waiting: list[PendingAppend]) -> list[PendingAppend]:
        """Take the requests that still wait; a second one with the same idempotency key follows the first."""
        taken = []
        first_with: dict[tuple[str, str], PendingAppend] = {}
        with self._lock:
            for request in waiting:
                if request.state is State.WITHDRAWN:
                    continue
                request.state = State.TAKEN
                if request.receipt is not None:
                    first = first_with.setdefault((request.receipt.caller, request.receipt.key), request)
                    if first is not request:
                        first.followers.append(request)
                        continue
                taken.append(request)
        return taken

    def _refuse_all(self, waiting: list[PendingAppend], error: Exception) -> None:
        """There is no connection: all who wait by now have waited long enough."""
        logger.warning("appends are refused: %s", error)
        try:
            while (request := self._queue.get_nowait()) is not None:
                waiting.append(request)
        except Empty:
            pass
        with self._lock:
            refused = [request for request in waiting if request.state is State.QUEUED]
            for request in refused:
                request.state = State.TAKEN
        for request in refused:
            request.finish(error=AppendNotStored())

    def _commit(self, session: CommitSession, requests: list[PendingAppend]) -> None:
        """Store the requests together; if that fails, each alone, so that none fails for its neighbour."""
        failure = self._store(session, requests)
        if failure is None:
            return
        left = [request for request in requests if request.state is State.TAKEN]
        if len(left) > 1 and isinstance(failure, PartitionsMissing):
            self._commit(session, self._refuse_gone(left, failure.ids))
        elif len(left) == 1 or self._session is None:
            for request in left:
                request.finish(error=_answer_to(failure))
        else:
            logger.warning("a commit of %d requests failed, storing each alone: %r", len(left), failure)
            self._commit_each_alone(session, left)

    def _refuse_gone(self, requests: list[PendingAppend], missing: set[int]) -> list[PendingAppend]:
        kept = []
        for request in requests:
            if any(append.partition.id in missing for append in request.appends):
                request.finish(error=PartitionGone())
            else:
                kept.append(request)
        return kept

    def _commit_each_alone(self, session: CommitSession, requests: list[PendingAppend]) -> None:
        deadline = monotonic() + ALONE_SECONDS
        blocked: set[int] = set()
        session.set_lock_timeout(ALONE_LOCK_TIMEOUT)
        for request in requests:
            partitions = {append.partition.id for append in request.appends}
            if monotonic() > deadline or self._session is None or blocked & partitions:
                request.finish(error=AppendNotStored())
                continue
            failure = self._store(session, [request])
            if isinstance(failure, psycopg.errors.LockNotAvailable):
                blocked |= partitions
            if failure is not None:
                request.finish(error=_answer_to(failure))
        if self._session is not None:
            session.set_lock_timeout(LOCK_TIMEOUT)

    def _store(self, session: CommitSession, requests: list[PendingAppend]) -> Exception | None:
        """Store the requests and settle them; or return what failed, with nothing stored, or nobody knows."""
        if not requests:
            return None
        try:
            heads, answers = session.store(requests)
        except Exception as error:  # noqa: BLE001 - whatever it is, each waiting request must get an answer
            return self._after_failure(session, error)
        for request in requests:
            _settle(request, answers.get(request))
        self._on_commit(heads)
        return None

    def _after_failure(self, session: CommitSession, error: Exception) -> Exception:
        """Make the connection usable again, or drop it; say *unknown* where the commit may have happened."""
        is_lost = session.connection.closed or _is_from_a_dying_server(error)
        if not is_lost:
            try:
                session.roll_back()
            except psycopg.Error:
                is_lost = True
        if not is_lost:
            return error
        self._disconnect()
        logger.warning("the append connection was lost: %r", error)
        return AppendOutcomeUnknown() if session.may_have_committed else AppendNotStored()

    # --- the flusher's connection --------------------------------------------------------------------

    def _connected_session(self) -> CommitSession:
        """Return a session whose server has not gone away while nothing was appended."""
        if self._session is not None and _has_news(self._session.connection):
            # An idle server has nothing to say but farewell. A statement sent now would be lost
            # and leave its requests in doubt for no reason.
            self._disconnect()
        if self._session is None:
            self._session = CommitSession()
        return self._session

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with self._lock:
                self._in_flight = None
                session.close()


def _settle(request: PendingAppend, answer: Any) -> None:
    if isinstance(answer, Exception):
        request.finish(error=answer)
    else:
        request.finish(result=answer)


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _is_from_a_dying_server(error: Exception) -> bool:
    """Whether the server reported, as its last words, that it or this connection goes away."""
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith(("57P", "08"))


def _answer_to(failure: Exception) -> Exception:
    """Return what to tell the one request for which `failure` came; nothing was stored unless it says so."""
    if isinstance(failure, PartitionsMissing):
        return PartitionGone()
    if isinstance(failure, ClaimWaits):
        return IdempotencyInProgress("Another request with this key is being stored; retry in a moment.")
    if isinstance(failure, AppendOutcomeUnknown):
        # One for each: an exception that several threads raise would mix up their tracebacks.
        return AppendOutcomeUnknown()
    if isinstance(failure, (AppendNotStored, psycopg.Error)):
        return AppendNotStored()
    return failure
