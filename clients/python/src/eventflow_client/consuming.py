"""How a consumer behaves: numbers with their units, and which handler gets which event."""

import os
import socket
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """
    Attributes:
        name: how the consumer is called on screens; the machine and the process unless given.
        concurrency: handlers at work at a time. Events of one key go one after another. So do those of a partition
            that have no key, in offset mode, and all of a partition in a group that is ordered by partition.
        max_events: at most so many are fetched at once, up to 1,000.
        wait_seconds: how long one request waits for an event, up to 30. Stopping takes up to that long.
        ack_wait_seconds: how long a lease lasts; the group's unless given. Leases are kept while handlers work.
        types: only events of these types (offset mode; a lease takes what is next).
        partition: only this partition (offset mode).
        on_failure: what becomes of an event whose handler raises, in offset mode: `park` makes it a dead letter of the
            group and goes on; `stop` stops before it. In lease mode the server tries it again, by the group's backoff.
        commit_seconds: how often a committed offset follows handlers that take long (offset mode).
        stop_seconds: how long stopping waits for handlers that have begun.
    """

    name: str | None = None
    concurrency: int = 1
    max_events: int = 100
    wait_seconds: float = 5.0
    ack_wait_seconds: float | None = None
    types: Sequence[str] = ()
    partition: int | None = None
    on_failure: Literal["park", "stop"] = "park"
    commit_seconds: float = 5.0
    stop_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_events <= 1000:
            raise ValueError("`max_events` is 1 to 1000: the server gives no more at once.")
        if not 0 <= self.wait_seconds <= 30:
            raise ValueError("`wait_seconds` is 0 to 30.")
        if self.concurrency < 1:
            raise ValueError("`concurrency` is at least 1.")

    @property
    def consumer_name(self) -> str:
        return self.name or f"{socket.gethostname()}:{os.getpid()}"[:128]


def lane_of(key: str | None, count: int, *, otherwise: int) -> int:
    """Return which of so many handlers gets an event: those of one key share one; without a key it is `otherwise`."""
    return zlib.crc32(key.encode()) % count if key is not None else otherwise % count
