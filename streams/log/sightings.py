"""The counters of partitions that lie in other engines: as they were last seen there, and never above the truth.

Each process adds what it has appended itself, at most once a second. What native clients append, and what retention
takes, is seen by the tick that asks for the ends (`streams/services/foreign_ends.py`).
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from accounts.process_id import process_id
from accounts.written_beside import keep_writing
from streams.conf import SIGHTINGS_INTERVAL_SECONDS
from streams.log.statements import run

logger = logging.getLogger(__name__)


class Sighting(NamedTuple):
    """What was seen of a partition.

    Attributes:
        earliest_offset: 1 where nobody looked.
        appended_bytes: of the events that were appended since the last sighting, by whoever has seen it.
    """

    partition_id: int
    head_offset: int
    earliest_offset: int = 1
    recorded_at: datetime | None = None
    appended_bytes: int = 0


def write_sightings(sightings: Iterable[Sighting]) -> None:
    """Raise the counters of partitions to what was seen of them; what is lower than they are changes nothing."""
    ordered = sorted(sightings)
    if ordered:
        names = ("partition_ids", "head_offsets", "earliest_offsets", "recorded_ats", "appended_bytes")
        columns: list[list[Any]] = [list(column) for column in zip(*ordered, strict=True)]
        run("note_sightings", **dict(zip(names, columns, strict=True)))


def raise_earliest(earliest_offsets: Mapping[int, int]) -> None:
    """Raise where partitions begin, by id, that are appended to in PostgreSQL and have older stretches elsewhere."""
    if earliest_offsets:
        run(
            "raise_earliest",
            partition_ids=list(earliest_offsets),
            earliest_offsets=list(earliest_offsets.values()),
        )


class Sightings:
    """What this process has appended to other engines since it was last written down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: dict[int, Sighting] = {}
        self._pid = 0

    def note(self, partition_id: int, head_offset: int, recorded_at: datetime, appended_bytes: int) -> None:
        """Note that events were appended; a thread writes it down."""
        self._ensure_written()
        new = Sighting(partition_id, head_offset, 1, recorded_at, appended_bytes)
        with self._lock:
            self._noted[partition_id] = _joined(self._noted.get(partition_id), new)

    def write(self) -> None:
        """Write down what is noted; what could not be written stays noted."""
        with self._lock:
            noted, self._noted = self._noted, {}
        try:
            write_sightings(noted.values())
        except BaseException:
            with self._lock:
                for each in noted.values():
                    self._noted[each.partition_id] = _joined(self._noted.get(each.partition_id), each)
            raise

    def forget(self) -> None:
        with self._lock:
            self._noted = {}

    def _ensure_written(self) -> None:
        if self._pid == process_id():
            return
        with self._lock:
            if self._pid != process_id():
                # A forked child has none of its parent's threads.
                keep_writing(self.write, what="sightings", every_seconds=SIGHTINGS_INTERVAL_SECONDS, logger=logger)
                self._pid = process_id()


def _joined(before: Sighting | None, new: Sighting) -> Sighting:
    if before is None:
        return new
    times = [each for each in (before.recorded_at, new.recorded_at) if each is not None]
    return Sighting(
        new.partition_id,
        max(before.head_offset, new.head_offset),
        max(before.earliest_offset, new.earliest_offset),
        max(times, default=None),
        before.appended_bytes + new.appended_bytes,
    )


SIGHTINGS = Sightings()
