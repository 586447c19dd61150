"""Writes log lines from a thread of its own, so that a request does not wait for the terminal or the disk."""

import atexit
import contextlib
import fcntl
import os
import threading
import time
from collections import deque
from multiprocessing import util

# A line waits this long for company: one write for many lines, and one wake-up of the thread.
GATHER_SECONDS = 0.02
# Beyond this the threads that log write by themselves: a stuck reader slows them, and memory stays flat.
MAX_PENDING_LINES = 20_000
# One write takes the interpreter's lock back once, however many lines it holds: under load that is what counts.
CHUNK_LINES = 200
# Linux writes to a pipe in one piece while it has room; with room to spare, lines of several processes stay whole.
PIPE_CAPACITY_BYTES = 1024 * 1024


class LogWriter:
    """Writes whole lines to a file descriptor, in order, soon, and at the latest when the process exits.

    A `kill -9` loses the lines of the last 20 milliseconds. Safe from any thread and across fork. Lines of
    several processes on one pipe stay whole unless its reader falls a megabyte behind.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        _widen_pipe(descriptor)
        self._start_anew()
        os.register_at_fork(after_in_child=self._start_anew)
        atexit.register(self.flush)

    def _start_anew(self) -> None:
        self._pending: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def write(self, line: bytes) -> None:
        """Take one line, ended by a newline; it is written within about 20 milliseconds."""
        self._pending.append(line)
        if self._wake.is_set():
            if len(self._pending) > MAX_PENDING_LINES:
                self.flush()
            return
        self._wake.set()
        if self._thread is None:
            self._start_thread()

    def flush(self) -> None:
        """Write what is pending, now, in this thread."""
        with self._lock:
            while self._pending:
                count = min(len(self._pending), CHUNK_LINES)
                self._write_chunk(b"".join([self._pending.popleft() for _ in range(count)]))

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_forever, name="log-writer", daemon=True)
                self._thread.start()
                # A child made by multiprocessing, as granian's workers are, leaves without running atexit, and
                # forgets what was registered before it was made.
                util.Finalize(None, self.flush, exitpriority=100)

    def _write_forever(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(GATHER_SECONDS)
            # Cleared before the lines are taken: one that comes in between wakes us again.
            self._wake.clear()
            self.flush()

    def _write_chunk(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                time.sleep(0.005)
            except OSError:
                # Nobody reads the log any more (a closed pipe): there is no place left to say so.
                return


def _widen_pipe(descriptor: int) -> None:
    """Give the descriptor room for a moment of a slow reader, if it is a pipe and the system can do it."""
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_CAPACITY_BYTES)
