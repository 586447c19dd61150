"""Learning of a stop in a web worker, whose signals belong to the web server.

granian finishes the requests that it has accepted, but gives up on them after a few seconds, and a poll may wait for
thirty. So whoever waits is told the moment that the signal comes.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def call_at_stop(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call `callback` on the loop when this process is asked to stop; the main thread only.

    A loop learns of signals through a descriptor and leaves a handler that does nothing in Python's own table. So the
    server's handler, which is called by the loop, stays what it is.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    owner = os.getpid()

    def tell(_number: int, _frame: object) -> None:
        if os.getpid() == owner:
            loop.call_soon_threadsafe(callback)

    for number in _STOP_SIGNALS:
        signal.signal(number, tell)
