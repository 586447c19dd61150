"""Readers that wait: how soon one wakes, and what a thousand of them cost."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.api import Api

COME_TOGETHER = 500


def wake_up_latencies(port: int, key: str, stream: str, *, rounds: int) -> list[float]:
    """Milliseconds from just before an append is sent to the answer of a poll that waits for it."""
    headers = {"X-API-Key": key}
    reader, writer = Api(port, headers), Api(port, headers)
    latencies: list[float] = []
    offset = writer.call("POST", f"/streams/{stream}/events", {"payload": 0})["offset"]

    def wait(after: int, answered: list[float]) -> None:
        reader.call("GET", f"/streams/{stream}/events?last_offset={after}&wait=20")
        answered.append(time.perf_counter())

    for _ in range(rounds):
        answered: list[float] = []
        waiting = threading.Thread(target=wait, args=(offset, answered))
        waiting.start()
        time.sleep(0.05)
        sent = time.perf_counter()
        offset = writer.call("POST", f"/streams/{stream}/events", {"payload": 1})["offset"]
        waiting.join()
        latencies.append((answered[0] - sent) * 1000)
    return latencies


@contextmanager
def waiting_polls(port: int, key: str, stream: str, count: int) -> Iterator[None]:
    """Hold `count` polls that wait on a stream where nothing comes, for 30 s at most."""
    request = (
        f"GET /api/v1/streams/{stream}/events?last_offset=latest&wait=30 HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\nX-API-Key: {key}\r\n\r\n"
    ).encode()
    sockets: list[socket.socket] = []
    while len(sockets) < count:
        # All at once they would wait in line for a connection to the database, some of them for too long.
        for _ in range(min(COME_TOGETHER, count - len(sockets))):
            each = socket.create_connection(("127.0.0.1", port))
            each.sendall(request)
            sockets.append(each)
        _until(port, lambda waiting: waiting >= len(sockets))
    try:
        yield
    finally:
        for each in sockets:
            each.close()
        # The server does not see that they have gone: what comes at last ends them, before anything else is measured.
        Api(port, {"X-API-Key": key}).call("POST", f"/streams/{stream}/events", {"payload": "the end"})
        _until(port, lambda waiting: waiting == 0)


def _until(port: int, is_reached: Callable[[float], bool]) -> None:
    """Return when the server's own count of waiting polls is as wanted: on a slow machine that takes its time."""
    deadline = time.monotonic() + 15
    while not is_reached(waiting := _count_waiting(port)):
        if time.monotonic() > deadline:
            raise SystemExit(f"{waiting:.0f} polls are waiting, and it stays so.")
        time.sleep(0.1)


def _count_waiting(port: int) -> float:
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return sum(sample.value for each in families if each.name == "eventflow_waiting_polls" for sample in each.samples)
