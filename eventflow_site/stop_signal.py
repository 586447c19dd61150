"""Learning of a stop in a web worker, whose signals belong to the web server.

granian finishes the requests that it has accepted, but gives up on them after a few seconds, and a poll may wait for
thirty. So whoever waits is told the moment that the signal comes.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable

_STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


def call_at_stop(callback: Callable[[], None]) -> None:
    """Call `callback` in a thread of its own when this process is asked to stop; the main thread only.

    Python writes the number of each signal that has a handler to a socket, whoever's handler it is.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    receiver, sender = socket.socketpair()
    sender.setblocking(False)  # noqa: FBT003 - the standard library takes it only so
    signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    owner = os.getpid()

    def listen() -> None:
        # The sockets live as long as this thread.
        with receiver, sender:
            while numbers := receiver.recv(64):
                if os.getpid() == owner and _STOP_SIGNALS.intersection(numbers):
                    callback()

    threading.Thread(target=listen, name="stop-signal", daemon=True).start()
