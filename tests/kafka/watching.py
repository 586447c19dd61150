"""A reader who follows a partition while brokers come and go."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from streams.errors import LogUnavailable
from streams.log.protocol import Log, PartitionRef
from tests.streams.log.appending import check_continuous
from tests.threads import Work

MIB = 1024 * 1024


@dataclass
class Followed:
    """The ids of the events that came, in their order, and how often nobody could tell."""

    ids: list[str] = field(default_factory=list)
    refusals: int = 0


@contextmanager
def followed(log: Log, partition: PartitionRef) -> Iterator[Followed]:
    """Read what comes until the block has run, and then what is left; every answer goes on where the last one ended."""
    result = Followed()
    stop = threading.Event()

    def follow() -> None:
        position = 0
        while True:
            is_last = stop.is_set()
            try:
                read = log.read(partition, after=position, max_events=500, max_bytes=8 * MIB)
            except LogUnavailable:
                result.refusals += 1
                stop.wait(0.01)
                continue
            check_continuous(read, after=position)
            result.ids += [json.loads(text)["id"] for text in read.events]
            position = read.next_offset
            if is_last and position == read.bounds.head_offset:
                return
            if not read.events:
                stop.wait(0.01)

    work = Work(follow)
    try:
        yield result
    finally:
        stop.set()
        work.result()
