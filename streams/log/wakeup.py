"""Readers wait for appends: here those of this process, and through NOTIFY those of all the others.

A wake-up is a hint: whoever is woken reads and may find nothing new. A hint that gets lost costs at most
HEAD_CHECK_INTERVAL_SECONDS, for then the heads of all watched partitions are looked at. A waiting reader holds no
connection: only the notifier and the listener do, one for each process.
"""

import logging
import os
import threading
from collections.abc import Iterable, Mapping
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Final, Self

import psycopg

from streams.conf import HEAD_CHECK_INTERVAL_SECONDS, NOTIFY_CHANNEL, NOTIFY_INTERVAL_SECONDS
from streams.log.connections import connect, cut
from streams.log.statements import load

logger = logging.getLogger(__name__)

# PostgreSQL refuses a payload of 8,000 bytes.
_MAX_PAYLOAD_BYTES: Final = 7_900
_RECONNECT_SECONDS: Final = 0.5


class Watch:
    """One reader that waits for any of some partitions. Enter it *before* reading, then wait.

    So an append between the read and the wait is not missed.
    """

    __slots__ = ("_latch", "_wakeups", "heads")

    def __init__(self, wakeups: "Wakeups", partition_ids: Iterable[int]) -> None:
        self._wakeups = wakeups
        # What the reader has seen of each partition; -1: it has not said.
        self.heads: dict[int, int] = dict.fromkeys(partition_ids, -1)
        self._latch = threading.Lock()
        self._latch.acquire()

    def __enter__(self) -> Self:
        self._wakeups.register(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._wakeups.unregister(self)

    def saw(self, partition_id: int, head_offset: int) -> None:
        """Tell the head that the read found, so that only what moves past it wakes this reader again."""
        self.heads[partition_id] = head_offset

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds; whether something was appended, as far as anybody can tell."""
        return self._latch.acquire(timeout=max(0.0, timeout))

    def wake(self) -> None:
        """Let the reader go on; harmless when it does already."""
        if self._latch.locked():
            try:
                self._latch.release()
            except RuntimeError:
                # Another thread woke it between the look and the release.
                return


class Wakeups:
    """Who waits in this process for which partitions, and the two threads that bring the news."""

    def __init__(self) -> None:
        self._start_lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._watches: dict[int, set[Watch]] = {}
        self._is_closed = False
        self._listener: threading.Thread | None = None
        self._notifier: threading.Thread | None = None
        self._listening: psycopg.Connection[Any] | None = None
        self._news: dict[int, int] = {}
        self._has_news = threading.Event()
        # Our own NOTIFY comes back to our own listener, which need not wake anybody again.
        self._notifier_backend = 0

    def watch(self, partition_ids: Iterable[int]) -> Watch:
        """Return a watch on the partitions, to be entered before the read that it follows."""
        return Watch(self, partition_ids)

    def announce(self, heads: Mapping[int, int]) -> None:
        """Tell all processes, this one first, that partitions have new heads. Returns at once."""
        self._ensure_notifier()
        with self._lock:
            self._news.update(heads)
        self._has_news.set()

    def close(self) -> None:
        """Stop the threads and wake all who wait."""
        self._is_closed = True
        self._has_news.set()
        with self._lock:
            if self._listening is not None:
                cut(self._listening)
        for thread in (self._notifier, self._listener):
            if thread is not None and self._pid == os.getpid():
                thread.join(2 * HEAD_CHECK_INTERVAL_SECONDS)
        self._wake(list(self._watches))

    # --- watches -------------------------------------------------------------------------------------

    def register(self, watch: Watch) -> None:
        self._ensure_listener()
        with self._lock:
            for partition_id in watch.heads:
                self._watches.setdefault(partition_id, set()).add(watch)

    def unregister(self, watch: Watch) -> None:
        with self._lock:
            for partition_id in watch.heads:
                watches = self._watches.get(partition_id)
                if watches is not None:
                    watches.discard(watch)
                    if not watches:
                        del self._watches[partition_id]

    @property
    def is_listening(self) -> bool:
        """Whether appends of other processes are heard at once, and not only at the next look at the heads."""
        return self._listening is not None

    @property
    def watch_count(self) -> int:
        """How many readers wait now (one that waits for several partitions counts for each)."""
        with self._lock:
            return sum(map(len, self._watches.values()))

    def _wake(self, partition_ids: Iterable[int]) -> None:
        for partition_id in partition_ids:
            # Copied under the lock, woken outside it: a thousand readers must not make an append wait.
            with self._lock:
                watches = list(self._watches.get(partition_id, ()))
            for watch in watches:
                watch.wake()

    def _wake_behind(self, heads: Mapping[int, int]) -> None:
        for partition_id, head_offset in heads.items():
            with self._lock:
                watches = list(self._watches.get(partition_id, ()))
            for watch in watches:
                if watch.heads.get(partition_id, -1) < head_offset:
                    watch.wake()

    # --- threads -------------------------------------------------------------------------------------

    def _ensure_listener(self) -> None:
        if self._pid == os.getpid() and self._listener is not None and self._listener.is_alive():
            return
        self._listener = self._start(self._listener, self._listen, "eventflow-listener")

    def _ensure_notifier(self) -> None:
        if self._pid == os.getpid() and self._notifier is not None and self._notifier.is_alive():
            return
        self._notifier = self._start(self._notifier, self._notify, "eventflow-notifier")

    def _start(self, thread: threading.Thread | None, target: Any, name: str) -> threading.Thread:
        with self._start_lock:
            if self._pid != os.getpid():
                # A forked child has none of its parent's threads.
                self._reset()
                thread = None
            running = {"eventflow-listener": self._listener, "eventflow-notifier": self._notifier}[name]
            if running is not None and running.is_alive():
                return running
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            return thread

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
            self._wake_behind(news)
            try:
                if connection is None or connection.closed:
                    connection = self._connect_notifier()
                for payload in payloads(news):
                    connection.execute("SELECT pg_notify(%s, %s)", (NOTIFY_CHANNEL, payload), prepare=True)
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
                with connect("listen") as connection:
                    connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
                    with self._lock:
                        self._listening = connection
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
                    self._wake(partition_ids(notification.payload))

    def _check_heads(self, connection: psycopg.Connection[Any]) -> None:
        with self._lock:
            watched = list(self._watches)
        if watched:
            rows = connection.execute(load("bounds"), {"partition_ids": watched}, binary=True).fetchall()
            self._wake_behind({partition_id: head_offset for partition_id, _, head_offset, _ in rows})


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
