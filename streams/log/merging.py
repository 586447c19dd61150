"""Merging: one full row in place of many small ones, as appends of single events leave them.

A step looks at the batches that follow `merged_to`, decides without any lock (`merge_plan`), packs each group, and puts
the row in the others' place by one statement. That one takes the partition's row and does nothing if retention, an
erasure or another merging came in between; so it may be killed anywhere, and run twice.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from streams.conf import MERGE_OPEN_BATCHES, MERGE_STEP_BATCHES, MERGE_STEP_MERGED
from streams.log.batches import pack_again, times_of, unpack, unpacked_size
from streams.log.merge_plan import BatchOutline, Group, group_batches
from streams.log.protocol import LogDamaged, Merged, MergeLimits, PartitionRef
from streams.log.recorded_times import RecordedTimes
from streams.log.statements import run
from streams.record_lines import RecordLines, count_lines
from streams.times import count_microseconds

logger = logging.getLogger(__name__)


class _Overtaken(Exception):
    """Somebody else changed the partition's batches: the next step sees them as they are then."""


def merge_batches(partition: PartitionRef, limits: MergeLimits) -> Merged:
    """Do what `Log.merge` promises."""
    rows = run(
        "merge_outline",
        partition_id=partition.id,
        after=limits.after,
        recorded_before=limits.recorded_before,
        max_batches=MERGE_STEP_BATCHES,
    )
    if not rows:
        return Merged()
    merged_to, due_head = rows[0][:2]
    step = _Step(partition, limits, merged_to=merged_to, due_head=due_head)
    step.is_done = len(rows) < MERGE_STEP_BATCHES
    try:
        step.take([_outline(row[2:]) for row in rows if row[2] is not None])
    except _Overtaken:
        # What there is now the next tick sees.
        step.is_done = True
    return Merged(step.batches, step.batches_gone, step.bytes_gone, step.unreadable, is_done=step.is_done)


def _outline(row: Sequence[Any]) -> BatchOutline:
    last_offset, event_count, recorded_at, codec, stored_bytes, beginning = row
    try:
        times = times_of(codec, beginning, event_count=event_count, recorded_at=recorded_at)
        size = unpacked_size(codec, beginning, stored_bytes=stored_bytes) + 1
    except LogDamaged:
        return BatchOutline(last_offset, event_count, recorded_at, recorded_at, None)
    return BatchOutline(last_offset, event_count, times.at(0) if times else recorded_at, recorded_at, size)


class _Step:
    """One step over a partition, and what it did so far. `is_done`: what follows was looked at as well."""

    def __init__(self, partition: PartitionRef, limits: MergeLimits, *, merged_to: int, due_head: int) -> None:
        self.batches = self.batches_gone = self.bytes_gone = self.unreadable = 0
        self.is_done = True
        self._partition = partition
        self._limits = limits
        # What the partition's row says, unless somebody else was there.
        self._merged_to = merged_to
        self._due_head = due_head
        # What is left alone is passed as well, so that nobody looks for it again.
        self._passed_to = max(merged_to, limits.after)

    def take(self, batches: Sequence[BatchOutline]) -> None:
        """Merge what fits together of these, and note how far it came.

        Raises:
            _Overtaken: what was merged until then is.
        """
        groups = list(group_batches(batches, self._limits))
        if not self.is_done and groups[-1].is_open:
            # What follows it nobody has seen yet.
            groups.pop()
        due_head = self._due_head if self._passed_to == self._merged_to else self._passed_to + MERGE_OPEN_BATCHES
        for group in groups:
            if self.batches >= MERGE_STEP_MERGED:
                self.is_done, due_head = False, group.first_offset
                break
            if not group.is_open:
                self._take_whole(group)
                due_head = group.last_offset + MERGE_OPEN_BATCHES
            elif len(group.batches) > MERGE_OPEN_BATCHES:
                # It is to be filled up, so it has to be looked at again: what is noted lies before its end.
                self._merge(group, merged_to=group.last_offset - 1)
                due_head = group.last_offset + MERGE_OPEN_BATCHES
            else:
                due_head = group.last_offset + 1 + MERGE_OPEN_BATCHES - len(group.batches)
        self._note(max(self._passed_to, self._merged_to), due_head)

    def _take_whole(self, group: Group) -> None:
        """Merge a group to which nothing can be added; of one alone there is nothing to merge."""
        if len(group.batches) > 1:
            self._merge(group, merged_to=group.last_offset)
        elif group.batches[0].unpacked_bytes is None:
            self.unreadable += 1
            logger.warning(
                "A batch of %s/%d that cannot be read stays as it is: it ends at offset %d.",
                self._partition.stream,
                self._partition.number,
                group.last_offset,
            )
        self._passed_to = group.last_offset

    def _merge(self, group: Group, *, merged_to: int) -> None:
        first, last = group.batches[0], group.batches[-1]
        place = {"partition_id": self._partition.id, "from_batch": first.last_offset, "to_batch": last.last_offset}
        rows = run("merge_records", **place)
        if [row[1] for row in rows] != [batch.last_offset for batch in group.batches]:
            raise _Overtaken
        readable = [_read(*row[1:]) for row in rows]
        if not all(readable):
            self._go_round(group, readable)
            return
        texts, runs = zip(*filter(None, readable), strict=True)
        times = RecordedTimes.of(chain.from_iterable(runs))
        packed = pack_again(RecordLines(b"\n".join(texts)), head=times.pack() if len(times.counts) > 1 else b"")
        merged = run(
            "merge",
            **place,
            first_offset=group.first_offset,
            event_count=packed.event_count,
            recorded_at=last.until,
            codec=packed.codec,
            records=packed.records,
            mark=rows[0][0],
            before=self._merged_to,
            merged_to=merged_to,
        )
        if not merged:
            raise _Overtaken
        self._merged_to = merged_to
        self.batches += 1
        self.batches_gone += len(rows) - 1
        self.bytes_gone += merged[0][0] - len(packed.records)

    def _go_round(self, group: Group, readable: Sequence[object]) -> None:
        """Merge what lies between the batches of a group that cannot be read."""
        marked = [
            batch if is_readable else batch._replace(unpacked_bytes=None)
            for batch, is_readable in zip(group.batches, readable, strict=True)
        ]
        for part in group_batches(marked, self._limits):
            self._take_whole(part)

    def _note(self, merged_to: int, due_head: int) -> None:
        if (merged_to, due_head) == (self._merged_to, self._due_head):
            return
        changed = {"merged_to": merged_to, "due_head": due_head}
        if not run("note_merged", partition_id=self._partition.id, before=self._merged_to, **changed):
            raise _Overtaken
        self._merged_to, self._due_head = merged_to, due_head


def _read(
    _last_offset: int, event_count: int, recorded_at: datetime, codec: int, stored: bytes
) -> tuple[bytes, Iterable[tuple[int, int]]] | None:
    """Return a batch's records and the runs of their times; None if reading it would be refused."""
    try:
        records = unpack(codec, stored)
        times = times_of(codec, stored, event_count=event_count, recorded_at=recorded_at)
    except LogDamaged:
        return None
    # What a reader would refuse must not hide among others.
    is_whole = records.startswith(b"{") and records.endswith(b"}") and records.count(b"\n{") == event_count - 1
    if not is_whole or count_lines(records) != event_count:
        return None
    if times is None:
        return records, [(event_count, count_microseconds(recorded_at))]
    return records, zip(times.counts, times.moments, strict=True)
