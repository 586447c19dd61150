"""Adding the log up: events and bytes of each stream and minute, and of each type, exactly once.

A step counts some events that follow the cursors of some partitions and moves the cursors, in one transaction:
a tick that is killed, doubled or late changes nothing. A partition that another worker has is left to it.
"""

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from observability.conf import (
    GROUP_HOURS_KEEP_SECONDS,
    GROUP_MINUTES_KEEP_SECONDS,
    ROLLUP_DELETE_ROWS,
    ROLLUP_KEEP_SECONDS,
    ROLLUP_MAX_TYPES,
    ROLLUP_READ_BYTES,
    ROLLUP_READ_EVENTS,
    ROLLUP_SHARE_EVENTS,
    ROLLUP_STEP_EVENTS,
    ROLLUP_STEP_PARTITIONS,
)
from observability.models import RollupCursor, TypePeriod
from observability.numbers.counting import Tally
from observability.numbers.statements import run
from streams.errors import LogUnavailable, PartitionGone
from streams.log import get_log, locate
from streams.log.protocol import LogDamaged, PartitionRef
from streams.models import Partition
from streams.stored_event import recorded_at_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Lane:
    """A partition with events that are not rolled up yet."""

    ref: PartitionRef
    stream_id: int


@dataclass(frozen=True, slots=True)
class _Counted:
    """What one step found in one partition: where to go on, and when the last event was recorded."""

    lane: _Lane
    tally: Tally
    next_offset: int
    until: datetime | None


def roll_up(*, seconds: float) -> int:
    """Count what the log has gained; return how many events were counted.

    It takes one step, and further ones for about `seconds`; the partitions take turns. What is left is counted
    the next time.
    """
    deadline = time.monotonic() + seconds
    lanes = deque(_lanes_behind())
    counted = 0
    while lanes:
        step = _step([lanes.popleft() for _ in range(min(ROLLUP_STEP_PARTITIONS, len(lanes)))])
        counted += sum(each.tally.events for each in step)
        # One that gained nothing is done, or another worker has it.
        lanes.extend(each.lane for each in step)
        if time.monotonic() >= deadline:
            break
    return counted


def delete_old_rollups(*, now: datetime) -> int:
    """Delete some of what has been kept long enough (30 days, groups' minutes 2); return how many rows went."""
    ((deleted,),) = run(
        "delete_rollups",
        before=now - timedelta(seconds=ROLLUP_KEEP_SECONDS),
        groups_before=now - timedelta(seconds=GROUP_MINUTES_KEEP_SECONDS),
        hours_before=now - timedelta(seconds=GROUP_HOURS_KEEP_SECONDS),
        max_rows=ROLLUP_DELETE_ROWS,
    )
    return int(deleted)


def record_groups(*, now: datetime) -> None:
    """Write down where every group stands, once for each minute however often this is called."""
    minute = now.replace(second=0, microsecond=0)
    run("record_groups", minute=minute, hour=minute.replace(minute=0))


def _lanes_behind() -> list[_Lane]:
    """The partitions with new events, those first that have waited longest."""
    behind = (
        Partition.objects.filter(head_offset__gt=0)
        .exclude(rollupcursor__rolled_up_offset__gte=F("head_offset"))
        .order_by(F("rollupcursor__rolled_up_until").asc(nulls_first=True))
        .values_list("pk", "stream__name", "number", "stream_id")
    )
    rows = list(behind)
    refs = locate([PartitionRef(pk, name, number) for pk, name, number, _ in rows])
    return [_Lane(ref, stream_id) for ref, (*_, stream_id) in zip(refs, rows, strict=True)]


def _step(lanes: Sequence[_Lane]) -> list[_Counted]:
    """Count some events of these partitions and move their cursors; return those that had any."""
    here = [lane for lane in lanes if not lane.ref.epochs]
    elsewhere = [lane for lane in lanes if lane.ref.epochs]
    return [*(_step_here(here) if here else ()), *(_step_elsewhere(elsewhere) if elsewhere else ())]


def _step_elsewhere(lanes: Sequence[_Lane]) -> list[_Counted]:
    """Do a step in other engines, which are not asked inside a transaction: read, then lock and add.

    What another worker has counted since the cursors were looked at is not added again.
    """
    known = RollupCursor.objects.filter(partition_id__in=[lane.ref.id for lane in lanes])
    before = dict(known.values_list("partition_id", "rolled_up_offset"))
    share = max(ROLLUP_SHARE_EVENTS, ROLLUP_STEP_EVENTS // len(lanes))
    found = [_count(lane, after=before.get(lane.ref.id, 0), max_events=share) for lane in lanes]
    counted = {each.lane.ref.id: each for each in found if each is not None}
    if not counted:
        return []
    with transaction.atomic():
        stream_ids = [each.lane.stream_id for each in counted.values()]
        held = run("lock_cursors", partition_ids=list(counted), stream_ids=stream_ids)
        step = [counted[partition_id] for partition_id, offset in held if offset == before.get(partition_id, 0)]
        if step:
            _add(step)
    return step


@transaction.atomic
def _step_here(lanes: Sequence[_Lane]) -> list[_Counted]:
    """Count some events of these partitions and move their cursors; return those that had any."""
    by_id = {lane.ref.id: lane for lane in lanes}
    stream_ids = [lane.stream_id for lane in by_id.values()]
    offsets: dict[int, int] = dict(run("lock_cursors", partition_ids=list(by_id), stream_ids=stream_ids))
    share = max(ROLLUP_SHARE_EVENTS, ROLLUP_STEP_EVENTS // max(1, len(offsets)))
    found = [_count(by_id[partition_id], after=offset, max_events=share) for partition_id, offset in offsets.items()]
    step = [counted for counted in found if counted is not None]
    if step:
        _add(step)
    return step


def _count(lane: _Lane, *, after: int, max_events: int) -> _Counted | None:
    """Count the events that follow an offset, at most so many; None if there are none."""
    tally, position, last = Tally(), after, b""
    try:
        while tally.events < max_events:
            found = get_log().read(lane.ref, after=position, max_events=ROLLUP_READ_EVENTS, max_bytes=ROLLUP_READ_BYTES)
            position = found.next_offset
            if not found.events:
                break
            tally.add(found.events)
            last = found.events[-1]
            if position >= found.bounds.head_offset:
                break
    except PartitionGone:
        return None
    except LogUnavailable as error:
        logger.info("cannot be rolled up now: %s/%s: %s", lane.ref.stream, lane.ref.number, error.reason)
    except LogDamaged:
        logger.exception("cannot be rolled up: %s/%s after offset %s", lane.ref.stream, lane.ref.number, position)
    if position == after:
        return None
    return _Counted(lane, tally, position, recorded_at_of(last) if last else None)


def _add(step: Sequence[_Counted]) -> None:
    streams: dict[int, Tally] = {}
    for each in step:
        streams.setdefault(each.lane.stream_id, Tally()).merge(each.tally)
    minutes: list[tuple[int, datetime, int, int]] = [
        (stream_id, minute, count[0], count[1])
        for stream_id, tally in streams.items()
        for minute, count in tally.by_minute().items()
    ]
    cursors = [(each.lane.ref.id, each.next_offset, each.tally.size, each.until) for each in step]
    if minutes:
        run("add_minutes", **_columns(("stream_ids", "minutes", "events", "bytes"), minutes))
        types = _type_rows(streams, since=min(minute for _, minute, *_ in minutes).replace(minute=0))
        run("add_types", **_columns(("stream_ids", "lengths", "starts", "types", "events", "bytes"), types))
    run("move_cursors", **_columns(("partition_ids", "offsets", "bytes", "untils"), cursors))


def _columns(names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Return rows as an array for each of their columns."""
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _type_rows(streams: dict[int, Tally], *, since: datetime) -> list[tuple[int, str, datetime, str, int, int]]:
    """Each type's minutes and hours as (stream_id, length, start, type, events, bytes)."""
    hours = TypePeriod.objects.filter(stream_id__in=list(streams), length=TypePeriod.Length.HOUR, start__gte=since)
    known: dict[int, set[str]] = {}
    for stream_id, name in hours.values_list("stream_id", "type").distinct():
        known.setdefault(stream_id, set()).add(name)
    rows: list[tuple[int, str, datetime, str, int, int]] = []
    for stream_id, tally in streams.items():
        by_minute = tally.by_type(frozenset(known.get(stream_id, ())), limit=ROLLUP_MAX_TYPES)
        by_hour: dict[tuple[datetime, str], list[int]] = {}
        for (minute, name), (events, size) in by_minute.items():
            count = by_hour.setdefault((minute.replace(minute=0), name), [0, 0])
            count[0] += events
            count[1] += size
        for length, periods in ((TypePeriod.Length.MINUTE, by_minute), (TypePeriod.Length.HOUR, by_hour)):
            for (start, name), count in periods.items():
                rows.append((stream_id, length.value, start, name, count[0], count[1]))
    return rows
