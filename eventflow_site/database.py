"""Connections that notice a server which has stopped answering, or takes no writes any more.

A server that is gone closes its connections, and one behind a broken network is given up by TCP. But one that
hangs, with its sockets open, would be waited for as long as it hangs, by every request and with every
connection of the pool. So a wait that hears nothing for a while asks whether the server answers anybody.
"""

import threading
import time
from collections.abc import Generator
from typing import Any, ClassVar, Final, Self, TypeVar

import psycopg
from psycopg.abc import Query

from streams.connections import connect, has_news

PATIENCE_SECONDS: Final = 2.0
# One answer serves all who wait.
PULSE_SECONDS: Final = 1.0
Returned = TypeVar("Returned")


class _Pulse:
    """Whether the server accepts a connection, asked by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._felt_at = float("-inf")
        self._is_there = True

    def is_there(self) -> bool:
        with self._lock:
            if time.monotonic() - self._felt_at > PULSE_SECONDS:
                try:
                    # Within `connect_timeout`, two seconds.
                    connect("pulse", through_pooler=True).close()
                    self._is_there = True
                except psycopg.Error:
                    self._is_there = False
                self._felt_at = time.monotonic()
            return self._is_there


_pulse = _Pulse()


class WatchfulConnection(psycopg.Connection[Any]):
    """A connection whose statements fail, with an OperationalError, when the server no longer answers anybody.

    A statement that merely takes its time goes on: `statement_timeout` is its limit. Where one may not write, the
    connection ends: the server was the primary once, and the next connection may find the one that is now.

    Attributes:
        last_refusal: what the latest attempt to connect said, if it failed.
    """

    last_refusal: ClassVar[str] = ""

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Self:
        """Connect, and keep what a refusal said: a pool only tells those who wait that they waited in vain."""
        try:
            connection = super().connect(*args, **kwargs)
        except psycopg.Error as error:
            cls.last_refusal = str(error).strip()
            raise
        cls.last_refusal = ""
        return connection

    def execute(self, query: Query, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        """Run a statement; the empty one, with which a pool checks a connection, costs no way to the server and back.

        A server that is gone has closed its end, and that can be seen from here; one that hangs is found out by `wait`.
        """
        if query == "":
            if has_news(self):
                # Closed here too: a pool puts back what still looks well, and would try it again for ever.
                self.close()
                raise psycopg.OperationalError("PostgreSQL has closed this connection")
            return self.cursor()
        return super().execute(query, *args, **kwargs)

    def wait(self, gen: Generator[Any, Any, Returned], *args: Any, **kwargs: Any) -> Returned:
        try:
            return super().wait(self._watched(gen), *args, **kwargs)
        except psycopg.errors.ReadOnlySqlTransaction:
            # Unless it was us who wanted to read only. A pool would keep it for an hour.
            if not self.read_only:
                self.close()
            raise

    def _watched(self, gen: Generator[Any, Any, Returned]) -> Generator[Any, Any, Returned]:
        heard_at = time.monotonic()
        try:
            state = next(gen)
            while True:
                # Zero where nothing happened in the interval, a tenth of a second.
                ready = yield state
                if ready:
                    heard_at = time.monotonic()
                elif time.monotonic() - heard_at > PATIENCE_SECONDS:
                    if not _pulse.is_there():
                        self.pgconn.finish()
                        raise psycopg.OperationalError("PostgreSQL has stopped answering")
                    heard_at = time.monotonic()
                state = gen.send(ready)
        except StopIteration as end:
            return end.value
