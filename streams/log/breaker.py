"""Leaving an engine alone that does not answer, so that nobody waits for it in vain."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from streams.conf import BREAKER_FAILURES, BREAKER_SECONDS
from streams.errors import AppendOutcomeUnknown, LogUnavailable, TopicUnavailable
from streams.log.failures import count_left_alone, count_unavailable, count_unknown


class Breaker:
    """Lets calls to one engine through, until several have failed one after the other; then one at a time tries.

    Drawing: CLOSED -- BREAKER_FAILURES failures --> OPEN -- BREAKER_SECONDS --> one call tries: it succeeds --> CLOSED,
    or fails --> OPEN.
    """

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._lock = threading.Lock()
        self._failures = 0
        self._tries_at = 0.0
        self._reason = ""

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Let a call through.

        Raises:
            LogUnavailable: the engine failed a moment ago; it is not called.
        """
        self._let_through()
        try:
            yield
        except TopicUnavailable:
            # It has answered: what is wrong with one topic holds up no other.
            self._failures = 0
            raise
        except LogUnavailable as error:
            count_unavailable(self._alias)
            self._note_failure(error.reason)
            raise
        except AppendOutcomeUnknown:
            count_unknown(self._alias)
            self._note_failure("its answers do not come in time")
            raise
        else:
            self._failures = 0

    @property
    def reason(self) -> str:
        """Why calls are refused now; empty while they are let through."""
        return self._reason if self._failures >= BREAKER_FAILURES else ""

    def _let_through(self) -> None:
        if self._failures < BREAKER_FAILURES:
            return
        with self._lock:
            wait = self._tries_at - monotonic()
            if wait > 0 and self._failures >= BREAKER_FAILURES:
                raise LogUnavailable(self._alias, self._reason, retry_after=wait)
            # This one tries; the others wait for how it ends, or for a moment longer.
            self._tries_at = monotonic() + BREAKER_SECONDS

    def _note_failure(self, reason: str) -> None:
        with self._lock:
            self._failures += 1
            if self._failures == BREAKER_FAILURES:
                count_left_alone(self._alias)
            self._reason = reason
            self._tries_at = monotonic() + BREAKER_SECONDS
