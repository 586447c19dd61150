"""When this process is about to stop, nobody waits in it any longer: polls answer with what they have."""

import threading

from streams.log import get_wakeups

_stopping = threading.Event()


def is_stopping() -> bool:
    """Whether waits are to end at once."""
    return _stopping.is_set()


def stop_waiting() -> None:
    """Send everybody home who waits for events, now and from now on; safe to call more than once."""
    _stopping.set()
    get_wakeups().wake_everybody()
