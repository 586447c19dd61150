"""A consumer that runs beside a test, and what the test looks at."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from eventflow_client import Consumer, EventFlow, NewEvent

PATIENCE_SECONDS = 30


@contextmanager
def running(consumer: Consumer) -> Iterator[threading.Thread]:
    """Let it run beside; it has to have ended well."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            consumer.run()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        consumer.stop()
        thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def wait_for(what: str, is_true: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.01)


def append(client: EventFlow, stream: str, count: int, **fields: Any) -> None:
    client.send_many([NewEvent(stream, n, **fields) for n in range(count)])


def lag(client: EventFlow, stream: str, group: str) -> int:
    offsets = client.request("GET", f"/streams/{stream}/consumer-groups/{group}/offsets")["data"]
    return sum(each["lag"] for each in offsets)


def deliveries(client: EventFlow, stream: str, group: str) -> list:
    return client.request("GET", f"/streams/{stream}/consumer-groups/{group}/deliveries")["data"]


def stored(client: EventFlow, stream: str) -> list:
    """All events of a stream, partition by partition."""
    events: list = []
    partitions = client.request("GET", f"/streams/{stream}")["partitions"]
    for partition in range(partitions):
        last = 0
        while found := client.request(
            "GET", f"/streams/{stream}/events", partition=partition, last_offset=last, limit=1000
        ):
            events += found
            last = found[-1]["offset"]
    return events
