"""The flusher's work: one round is one commit, and every request of it gets a true answer."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

import psycopg

from accounts.errors import IdempotencyKeyReused
from streams.connections import has_news
from streams.errors import AppendNotStored, AppendOutcomeUnknown, PartitionGone
from streams.log.commit import (
    ALONE_LOCK_TIMEOUT,
    KEY_REUSED,
    LOCK_TIMEOUT,
    CommitSession,
    NotDurable,
    PartitionsMissing,
)
from streams.log.pending import PendingAppend, StandingQuestion, State
from streams.log.protocol import Appended
from streams.log.refusals import describe_refusal
from streams.log.settling import answer_all, answer_to, is_from_a_dying_server, join_retries, let_go, settle

logger = logging.getLogger(__name__)

# How long requests are tried one by one after their common commit failed.
ALONE_SECONDS: Final = 3.0
# While there is no server every request fails: one line for all of them.
WARNING_INTERVAL_SECONDS: Final = 1.0
_READ_ONLY: Final = "25006"


class Flusher:
    """Commits what requests want stored. Its methods are for one thread, but for `withdraw` and those that give up.

    Args:
        on_commit: told the new head of each partition after every commit.

    Attributes:
        postponed: requests that followed another with the same idempotency key, which failed: they are to be
            committed in the next round.
    """

    def __init__(self, on_commit: Callable[[Mapping[int, int]], None]) -> None:
        self._on_commit = on_commit
        # Guards the step from QUEUED to TAKEN or WITHDRAWN, and the connection that a late request may cut.
        self._lock = threading.Lock()
        self._session: CommitSession | None = None
        self._in_flight: CommitSession | None = None
        self._asked: Sequence[StandingQuestion] = ()
        self._refused_at = -WARNING_INTERVAL_SECONDS
        self.postponed: list[PendingAppend] = []

    # --- for the threads of requests -----------------------------------------------------------------

    def withdraw(self, request: PendingAppend) -> bool:
        """Take a request back, unless its commit has begun; whether that was so in time."""
        with self._lock:
            if request.state is not State.QUEUED:
                return False
            request.state = State.WITHDRAWN
            return True

    def give_up(self) -> None:
        """Cut the connection on which the flusher waits for a server that does not answer.

        Its statement may still be carried out: those who wait for it get the outcome *unknown*.
        """
        with self._lock:
            if self._in_flight is not None:
                self._in_flight.cut()

    def give_up_question(self, question: StandingQuestion) -> None:
        """Cut the connection where it is this question that the server does not answer; no commit is cut for it."""
        with self._lock:
            if self._in_flight is not None and question in self._asked:
                self._in_flight.cut()

    # --- rounds --------------------------------------------------------------------------------------

    def connect(self) -> CommitSession:
        """Return a session whose server has not gone away while nothing was appended.

        Raises:
            psycopg.Error, NotDurable, OSError: there is none.
        """
        if self._session is not None and has_news(self._session.connection):
            # An idle server has nothing to say but farewell. A statement sent now would be lost
            # and leave its requests in doubt for no reason.
            self.disconnect()
        if self._session is None:
            self._session = CommitSession()
        return self._session

    def disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with self._lock:
                self._in_flight = None
                session.close()

    def refuse(self, waiting: Sequence[PendingAppend], error: Exception) -> None:
        """Tell requests that nothing was stored, since there is no server."""
        if monotonic() - self._refused_at > WARNING_INTERVAL_SECONDS:
            logger.warning("appends are refused: %s", error)
            self._refused_at = monotonic()
        refused = self._take(waiting)
        for request in refused:
            request.finish(error=AppendNotStored())
        let_go(refused)

    def answer(self, questions: Sequence[StandingQuestion]) -> None:
        """Tell those who ask whether an append would be stored now."""
        try:
            session = self.connect()
            with self._lock:
                self._in_flight, self._asked = session, questions
            health = session.health()
            refusal = None if health.is_writable else health.reason
        except (psycopg.Error, NotDurable, OSError) as error:
            refusal = describe_refusal(error)
            logger.warning("nobody could append now: %s", error)
        with self._lock:
            self._in_flight, self._asked = None, ()
        if refusal is not None:
            # It was the primary once, or is gone: look for the one that is now.
            self.disconnect()
        answer_all(questions, refusal)

    def commit(self, session: CommitSession, waiting: Sequence[PendingAppend]) -> None:
        """Settle every request that still waits, except the postponed."""
        requests = join_retries(self._take(waiting))
        with self._lock:
            self._in_flight = session
        try:
            self._commit(session, requests)
        except Exception:
            logger.exception("the flusher failed; its requests are told that their outcome is unknown")
            self.disconnect()
        with self._lock:
            self._in_flight = None
        settled = list(requests)
        for request in requests:
            if request.state is State.TAKEN:
                request.finish(error=AppendOutcomeUnknown())
            settled += self._settle_followers(request)
        let_go(settled)

    def _settle_followers(self, request: PendingAppend) -> list[PendingAppend]:
        """Answer those that had the same idempotency key in the same commit, and return them."""
        followers, request.followers = request.followers, []
        for follower in followers:
            if request.result is None:
                follower.state = State.QUEUED
                self.postponed.append(follower)
            elif follower.request_hash == request.request_hash:
                follower.finish(result=Appended(ranges=(), body=request.result.body, is_replay=True))
            else:
                follower.finish(error=IdempotencyKeyReused(KEY_REUSED))
        return [follower for follower in followers if follower.state is State.DONE]

    def _take(self, waiting: Sequence[PendingAppend]) -> list[PendingAppend]:
        """Take the requests that still wait; from here on none of them can be withdrawn."""
        with self._lock:
            taken = [request for request in waiting if request.state is State.QUEUED]
            for request in taken:
                request.state = State.TAKEN
        return taken

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
                request.finish(error=answer_to(failure))
        else:
            logger.warning("a commit of %d requests failed, storing each alone: %r", len(left), failure)
            self._commit_each_alone(session, left)

    def _refuse_gone(self, requests: list[PendingAppend], missing: set[int]) -> list[PendingAppend]:
        """Refuse who appends to a partition that is missing; return the others.

        Of those who placed their events among different numbers of partitions, only who chose among fewest is refused:
        it may be missing for these alone, and the next attempt tells.
        """
        least: dict[int, int] = {}
        for append in (append for request in requests for append in request.appends if append.partition.id in missing):
            least[append.partition.id] = min(append.placed_among, least.get(append.partition.id, append.placed_among))
        kept = []
        for request in requests:
            if any(append.placed_among == least.get(append.partition.id) for append in request.appends):
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
                let_go([request])
                continue
            failure = self._store(session, [request])
            if isinstance(failure, psycopg.errors.LockNotAvailable):
                blocked |= partitions
            if failure is not None:
                request.finish(error=answer_to(failure))
            let_go([request])
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
            settle(request, answers.get(request))
        self._on_commit(heads)
        return None

    def _after_failure(self, session: CommitSession, error: Exception) -> Exception:
        """Make the connection usable again, or drop it; say *unknown* where the commit may have happened."""
        is_lost = session.connection.closed or is_from_a_dying_server(error)
        if not is_lost:
            try:
                session.roll_back()
            except psycopg.Error:
                is_lost = True
        if getattr(error, "sqlstate", None) == _READ_ONLY:
            # It was the primary once: look for the one that is now.
            self.disconnect()
            return AppendNotStored()
        if not is_lost:
            return error
        self.disconnect()
        logger.warning("the append connection was lost: %r", error)
        return AppendOutcomeUnknown() if session.may_have_committed else AppendNotStored()
