"""Load for what does not speak HTTP: one thread that waits for many sockets and sends bytes made before.

It costs little beside the server: what wrk is to HTTP.
"""

import selectors
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from benchmarks.peers.rates import Rate

_READ_BYTES = 1 << 20


class Connection(ABC):
    """One client that waits for its answer before it asks again."""

    def __init__(self, family: socket.AddressFamily, address: str | tuple[str, int]) -> None:
        self.socket = socket.socket(family)
        self.socket.connect(address)
        self.answer = b""
        self.asked_at = 0.0

    def send(self, request: bytes) -> None:
        self.answer, self.asked_at = b"", time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what has come; whether all that was asked is answered."""
        self.answer += self.socket.recv(_READ_BYTES)
        return self.is_answered()

    def wait(self) -> None:
        while not self.receive():
            pass

    def close(self) -> None:
        self.socket.close()

    @abstractmethod
    def is_answered(self) -> bool:
        """Whether `answer` is whole."""


Client = TypeVar("Client", bound=Connection)


def load(
    connections: Sequence[Client],
    seconds: int,
    step: Callable[[Client], None],
    *,
    is_done: Callable[[Client], bool] = lambda _: True,
) -> Rate:
    """Let each connection take its next step as soon as its last is answered; close them in the end.

    Args:
        is_done: whether the answer ends what is counted, where that takes several steps.
    """
    took: list[float] = []
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            step(connection)
        began = time.perf_counter()
        # What is slower than that is let come to its end once.
        while (now := time.perf_counter()) - began < seconds or len(took) < len(connections):
            for key, _ in selector.select(1):
                if key.data.receive():
                    if is_done(key.data):
                        took.append((time.perf_counter() - key.data.asked_at) * 1000)
                    step(key.data)
    for connection in connections:
        connection.close()
    took.sort()
    return Rate(len(took) / (now - began), took[len(took) // 2], took[int(len(took) * 0.99)])
