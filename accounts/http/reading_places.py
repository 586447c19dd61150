"""How many requests may be stuck in reading their bodies, of the threads that serve all requests.

The web server has no time limit for a body: a client that promises one and does not send it keeps its
thread until it goes away, and nothing inside the process can take the thread back. So those who dawdle
are counted, and beyond a number of them, further bodies (and only those) are refused for a while.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from accounts.conf import MAX_SLOW_BODIES, MAX_SLOW_BODIES_EACH, SLOW_BODY_SECONDS
from accounts.errors import TooManySlowBodies

# Thread → since when, and whose body. One dict operation each: safe without a lock.
_reading: dict[int, tuple[float, str]] = {}


@contextmanager
def reading_place(sender: str) -> Iterator[None]:
    """Hold a place while a body is read.

    Raises:
        TooManySlowBodies: `sender` has too many that have been under way for long, or all together have.
    """
    now = time.monotonic()
    if len(_reading) >= MAX_SLOW_BODIES_EACH:
        _refuse_dawdlers(sender, now)
    me = threading.get_ident()
    _reading[me] = (now, sender)
    try:
        yield
    finally:
        del _reading[me]


def _refuse_dawdlers(sender: str, now: float) -> None:
    slow = [whose for since, whose in list(_reading.values()) if now - since > SLOW_BODY_SECONDS]
    if len(slow) >= MAX_SLOW_BODIES or slow.count(sender) >= MAX_SLOW_BODIES_EACH:
        raise TooManySlowBodies("Too many requests were begun whose bodies do not come. End those, then retry.")
