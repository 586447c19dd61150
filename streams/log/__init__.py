"""The log: where events are stored, behind the seam in `protocol.py`.

`get_log()` is the one door: it returns this process's engine.
"""

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from streams.log.protocol import Log
from streams.log.wakeup import close_wakeups, get_wakeups

__all__ = ["Log", "close_log", "get_log", "get_wakeups", "use_log"]

_make_lock = threading.Lock()
_log: Log | None = None


def get_log() -> Log:
    """Return the engine of this process; made at the first call, it connects at the first append."""
    global _log  # noqa: PLW0603 - one engine for each process is the point
    if _log is None:
        # Imported here: it needs Django's app registry, which this package does not.
        from streams.log.postgres import PostgresLog

        with _make_lock:
            _log = _log or PostgresLog(wakeups=get_wakeups())
    return _log


def close_log() -> None:
    """Finish the appends that were accepted, stop the threads and close their connections.

    The next `get_log` makes a new engine.
    """
    global _log
    with _make_lock:
        log, _log = _log, None
    if log is not None:
        log.close()
    close_wakeups()


@contextmanager
def use_log(log: Log) -> Iterator[Log]:
    """Make `log` the engine of this process for a while: for tests."""
    global _log  # noqa: PLW0603
    before, _log = _log, log
    try:
        yield log
    finally:
        _log = before


def _forget_in_child() -> None:
    """A forked child has none of its parent's threads and must not use its connections."""
    global _log, _make_lock  # noqa: PLW0603
    _log = None
    _make_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(close_log)
