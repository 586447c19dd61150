"""Readers wait for appends: here those of this process, and through NOTIFY those of all the others.

A wake-up is a hint: whoever is woken reads and may find nothing new. A hint that gets lost costs at most
HEAD_CHECK_INTERVAL_SECONDS, for then the heads of all watched partitions are looked at. A waiting reader holds no
connection: only the notifier and the listener do, one for each process.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from time import monotonic, sleep
from typing import Any, Final

import psycopg

from accounts.process_id import process_id
from streams.conf import HEAD_CHECK_INTERVAL_SECONDS, NOTIFY_INTERVAL_SECONDS
from streams.connections import Scissors, connect
from streams.log.statements import statements
from streams.log.watches import Watch, Watches

logger = logging.getLogger(__name__)

# PostgreSQL refuses a payload of 8,000 bytes.
_MAX_PAYLOAD_BYTES: Final = 7_900
_RECONNECT_SECONDS: Final = 0.5


class Wakeups:
    """Who waits in this process for which partitions, and the two threads that bring the news."""

    def __init__(self) -> None:
        self._start_lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._pid = process_id()
        self._lock = threading.Lock()
        self._watches = Watches()
        self._is_closed = False
        self._threads: dict[str, threading.Thread] = {}
        self._listening: Scissors | None = None
        self._news: dict[int, int] = {}
        self._has_news = threading.Event()
        # Our own NOTIFY comes back to our own listener, which need not wake anybody again.
        self._notifier_backend = 0

    def watch(self, partition_ids: Iterable[int]) -> Watch:
        """Return a watch on the partitions, to be entered before the read that it follows."""
        self._ensure("listener", self._listen)
        return Watch(self._watches, partition_ids)

    def announce(self, heads: Mapping[int, int]) -> None:
        """Tell all processes, this one first, that partitions have new heads. Returns at once."""
        self._ensure("notifier", self._notify)
        with self._lock:
            self._news.update(heads)
        self._has_news.set()

    def close(self) -> None:
        """Stop the threads and wake all who wait."""
        self._is_closed = True
        self._has_news.set()
        with self._lock:
            if self._listening is not None:
                self._listening.cut()
        for thread in self._threads.values():
            thread.join(2 * HEAD_CHECK_INTERVAL_SECONDS)
        self.wake_everybody()

    def wake_everybody(self) -> None:
        """Wake all who wait; whether they go on waiting is up to them."""
        self._watches.wake(self._watches.partition_ids())

    @property
    def is_listening(self) -> bool:
        """Whether appends of other processes are heard at once, and not only at the next look at the heads."""
        return self._listening is not None

    @property
    def watch_count(self) -> int:
        """How many readers wait now (one that waits for several partitions counts for each)."""
        return len(self._watches)

    # --- threads -------------------------------------------------------------------------------------

    def _ensure(self, name: str, target: Callable[[], None]) -> None:
        """Start a thread of that name unless it runs."""
        if self._pid == process_id() and name in self._threads and self._threads[name].is_alive():
            return
        with self._start_lock:
            if self._pid != process_id():
                # A forked child has none of its parent's threads.
                self._reset()
            if name not in self._threads or not self._threads[name].is_alive():
                self._threads[name] = threading.Thread(target=target, name=f"eventflow-{name}", daemon=True)
                self._threads[name].start()

    # --- the notifier --------------------------------------------------------------------------------

    def _notify(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while not self._is_closed:
            self._has_news.wait()
            self._has_news.clear()
            with self._lock:
                news, self._news = self._news, {}
            if not news:
                continue
            self._watches.wake_behind(news)
            try:
                if connection is None or connection.closed:
                    connection = self._connect_notifier()
                for payload in payloads(news):
                    statements.on(connection).rows("notify", payload=payload)
            except psycopg.Error as error:
                # The hint is lost; the other processes' look at the heads makes up for it.
                logger.warning("a wake-up was lost: %s", error)
                connection = None
            sleep(NOTIFY_INTERVAL_SECONDS)
        if connection is not None:
            connection.close()

    def _connect_notifier(self) -> psycopg.Connection[Any]:
        # With synchronous_commit=on a NOTIFY would wait for the disk like any commit.
        connection = connect("notify", "synchronous_commit=off")
        self._notifier_backend = connection.info.backend_pid
        return connection

    # --- the listener --------------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._is_closed:
            try:
                with connect("listen") as connection, Scissors(connection) as scissors:
                    statements.on(connection).rows("listen")
                    with self._lock:
                        self._listening = scissors
                    self._listen_on(connection)
            except (psycopg.Error, OSError) as error:
                if not self._is_closed:
                    logger.warning("the listener lost its connection: %s", error)
                    sleep(_RECONNECT_SECONDS)
            finally:
                with self._lock:
                    self._listening = None

    def _listen_on(self, connection: psycopg.Connection[Any]) -> None:
        next_check = 0.0
        while not self._is_closed:
            if monotonic() >= next_check:
                self._check_heads(connection)
                next_check = monotonic() + HEAD_CHECK_INTERVAL_SECONDS
            for notification in connection.notifies(timeout=max(0.0, next_check - monotonic()), stop_after=1):
                if notification.pid != self._notifier_backend:
                    self._watches.wake(partition_ids(notification.payload))

    def _check_heads(self, connection: psycopg.Connection[Any]) -> None:
        watched = self._watches.partition_ids()
        if watched:
            rows = statements.on(connection).rows("bounds", partition_ids=watched)
            self._watches.wake_behind({partition_id: head_offset for partition_id, _, head_offset, *_ in rows})


def payloads(ids: Iterable[int]) -> Iterable[str]:
    """Write partition ids into as few notifications as fit."""
    words: list[str] = []
    size = 0
    for word in map(str, ids):
        if size + len(word) + 1 > _MAX_PAYLOAD_BYTES:
            yield ",".join(words)
            words, size = [], 0
        words.append(word)
        size += len(word) + 1
    if words:
        yield ",".join(words)


def partition_ids(payload: str) -> list[int]:
    """Read a notification; anybody who may connect can send one, so it may hold anything."""
    return [int(word) for word in payload.split(",") if word.isascii() and word.isdigit() and len(word) < 20]


_make_lock = threading.Lock()
_wakeups: Wakeups | None = None


def get_wakeups() -> Wakeups:
    """Return what the readers of this process wait on."""
    global _wakeups  # noqa: PLW0603 - one for each process is the point
    with _make_lock:
        _wakeups = _wakeups or Wakeups()
        return _wakeups


def close_wakeups() -> None:
    """Stop the threads of this process and close their connections; `get_wakeups` makes new ones."""
    global _wakeups
    with _make_lock:
        wakeups, _wakeups = _wakeups, None
    if wakeups is not None:
        wakeups.close()


def _forget_in_child() -> None:
    """A forked child has none of its parent's threads and must not use its connections."""
    global _wakeups, _make_lock  # noqa: PLW0603
    _wakeups = None
    _make_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_in_child)
