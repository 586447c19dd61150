"""How many requests may wait at once: each takes a thread, and appends need some too."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from consumers.conf import MAX_WAITING_REQUESTS
from consumers.errors import TooManyWaiting
from streams.metrics import count_waiting

_places = threading.BoundedSemaphore(MAX_WAITING_REQUESTS)


@contextmanager
def waiting_place(wait_seconds: float) -> Iterator[None]:
    """Hold a place while waiting; a request that does not wait needs none.

    Raises:
        TooManyWaiting
    """
    if not wait_seconds:
        yield
        return
    if not _places.acquire(blocking=False):
        raise TooManyWaiting(MAX_WAITING_REQUESTS)
    count_waiting(1)
    try:
        yield
    finally:
        count_waiting(-1)
        _places.release()
