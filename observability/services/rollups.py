"""Adding the log up: events and bytes of each stream and minute, and of each type, exactly once.

A step counts some events that follow a partition's cursor and moves the cursor, in one transaction: a tick
that is killed, doubled or late changes nothing. Nobody waits: a partition that another worker has is left to it.
"""

import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from observability.conf import (
    GROUP_MINUTES_KEEP_SECONDS,
    ROLLUP_DELETE_ROWS,
    ROLLUP_KEEP_SECONDS,
    ROLLUP_MAX_TYPES,
    ROLLUP_READ_BYTES,
    ROLLUP_READ_EVENTS,
    ROLLUP_STEP_EVENTS,
)
from observability.counting import Tally
from observability.models import RollupCursor, TypePeriod
from streams.errors import PartitionGone
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.models import Partition

_SQL = Path(__file__).parent.parent / "sql"
_ADD_MINUTES = (_SQL / "add_minutes.sql").read_text()
_ADD_TYPES = (_SQL / "add_types.sql").read_text()
_LOCK_CURSOR = (_SQL / "lock_cursor.sql").read_text()
_RECORD_GROUPS = (_SQL / "record_groups.sql").read_text()
_DELETE = (_SQL / "delete_rollups.sql").read_text()


@dataclass(frozen=True, slots=True)
class _Lane:
    """A partition with events that are not rolled up yet."""

    ref: PartitionRef
    stream_id: int


def roll_up(*, seconds: float) -> int:
    """Count what the log has gained; return how many events were counted.

    It takes one step, and further ones for about `seconds`; the partitions take turns. What is left is counted
    the next time.
    """
    deadline = time.monotonic() + seconds
    lanes = deque(_lanes_behind())
    counted = 0
    while lanes:
        lane = lanes.popleft()
        step = _step(lane)
        counted += step
        if step:
            lanes.append(lane)
        if time.monotonic() >= deadline:
            break
    return counted


def delete_old_rollups(*, now: datetime) -> int:
    """Delete some of what has been kept long enough (30 days, groups' minutes 2); return how many rows went."""
    with connection.cursor() as cursor:
        cursor.execute(
            _DELETE,
            {
                "before": now - timedelta(seconds=ROLLUP_KEEP_SECONDS),
                "groups_before": now - timedelta(seconds=GROUP_MINUTES_KEEP_SECONDS),
                "max_rows": ROLLUP_DELETE_ROWS,
            },
        )
        return int(cursor.fetchone()[0])


def record_groups(*, now: datetime) -> None:
    """Write down where every group stands, once for each minute however often this is called."""
    with connection.cursor() as cursor:
        cursor.execute(_RECORD_GROUPS, {"minute": now.replace(second=0, microsecond=0)})


def _lanes_behind() -> list[_Lane]:
    """The partitions with new events, those first that have waited longest."""
    behind = (
        Partition.objects.filter(head_offset__gt=0)
        .exclude(rollupcursor__rolled_up_offset__gte=F("head_offset"))
        .order_by(F("rollupcursor__rolled_up_until").asc(nulls_first=True))
        .values_list("pk", "stream__name", "number", "stream_id")
    )
    return [_Lane(PartitionRef(pk, name, number), stream_id) for pk, name, number, stream_id in behind]


def _step(lane: _Lane) -> int:
    """Count some events of one partition and move its cursor; return how many."""
    try:
        with transaction.atomic():
            offset = _fetch_one(_LOCK_CURSOR, {"partition_id": lane.ref.id, "stream_id": lane.stream_id})
            if offset is None:
                return 0
            tally, next_offset, until = _count(lane.ref, after=offset)
            if next_offset == offset:
                return 0
            _add(lane.stream_id, tally)
            RollupCursor.objects.filter(pk=lane.ref.id).update(
                rolled_up_offset=next_offset,
                rolled_up_bytes=F("rolled_up_bytes") + tally.size,
                rolled_up_until=until or F("rolled_up_until"),
            )
            return tally.events
    except PartitionGone:
        return 0


def _count(partition: PartitionRef, *, after: int) -> tuple[Tally, int, datetime | None]:
    """Count a step's worth of events; return also where to go on, and when the last one was recorded."""
    tally = Tally()
    last = b""
    while tally.events < ROLLUP_STEP_EVENTS:
        found = get_log().read(partition, after=after, max_events=ROLLUP_READ_EVENTS, max_bytes=ROLLUP_READ_BYTES)
        after = found.next_offset
        if not found.events:
            break
        tally.add(found.events)
        last = found.events[-1]
        if after >= found.bounds.head_offset:
            break
    return tally, after, _recorded_at(last) if last else None


def _recorded_at(event: bytes) -> datetime:
    start = event.index(b'"recorded_at":"') + len('"recorded_at":"')
    return datetime.fromisoformat(event[start : event.index(b'"', start)].decode("ascii"))


def _add(stream_id: int, tally: Tally) -> None:
    minutes = sorted(tally.by_minute().items())
    if not minutes:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _ADD_MINUTES,
            {
                "stream_id": stream_id,
                "minutes": [minute for minute, _ in minutes],
                "events": [count[0] for _, count in minutes],
                "bytes": [count[1] for _, count in minutes],
            },
        )
        rows = _type_rows(stream_id, tally, since=minutes[0][0].replace(minute=0))
        names = ("lengths", "starts", "types", "events", "bytes")
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        cursor.execute(_ADD_TYPES, {"stream_id": stream_id, **columns})


def _type_rows(stream_id: int, tally: Tally, *, since: datetime) -> list[tuple[str, datetime, str, int, int]]:
    """Each type's minutes and hours as (length, start, type, events, bytes)."""
    hours = TypePeriod.objects.filter(stream_id=stream_id, length=TypePeriod.Length.HOUR, start__gte=since)
    known = frozenset(hours.values_list("type", flat=True).distinct())
    by_minute = tally.by_type(known, limit=ROLLUP_MAX_TYPES)
    by_hour: dict[tuple[datetime, str], list[int]] = {}
    for (minute, name), (events, size) in by_minute.items():
        count = by_hour.setdefault((minute.replace(minute=0), name), [0, 0])
        count[0] += events
        count[1] += size
    return [
        (length.value, start, name, events, size)
        for length, periods in ((TypePeriod.Length.MINUTE, by_minute), (TypePeriod.Length.HOUR, by_hour))
        for (start, name), (events, size) in periods.items()
    ]


def _fetch_one(statement: str, params: dict[str, Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        row = cursor.fetchone()
    return None if row is None else row[0]
