"""The engine on PostgreSQL: batches in one table, a counter row for each partition."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db import Error, transaction

from accounts.short_memory import AnswerMissing, ShortMemory
from accounts.waits import running_loop
from streams.conf import BATCH_CACHE_BYTES
from streams.errors import PartitionGone
from streams.log.erasing import erase_in_batch
from streams.log.group_commit import GroupCommitter
from streams.log.merging import merge_batches
from streams.log.protocol import (
    EVERY_CAPABILITY,
    PLAIN_TOPIC,
    Appended,
    Bounds,
    Epoch,
    ErasedEvent,
    Front,
    LogHealth,
    Merged,
    MergeLimits,
    OldestId,
    PartitionAppend,
    PartitionRef,
    ReadResult,
    Receipt,
    TopicSpec,
)
from streams.log.reading import BatchReader
from streams.log.recorded_times import BatchTimes
from streams.log.refusals import LATE, describe_refusal, health_of
from streams.log.slices import bounds_of_row, clamped, first_offset_in, is_here, last_offset_in
from streams.log.statements import run
from streams.log.wakeup import Wakeups
from streams.models import Partition

REFUSAL_MEMORY_SECONDS: Final = 1.0
_DROP_STEP_BATCHES: Final = 5_000
# Of ids that are remembered together, in one step.
_MAX_FAMILIES: Final = 500


class PostgresLog:
    """`Log` on PostgreSQL. Appends go through the group committer, all else through Django's connection."""

    capabilities = EVERY_CAPABILITY

    def __init__(self, *, wakeups: Wakeups, cache_bytes: int = BATCH_CACHE_BYTES) -> None:
        self._reader = BatchReader(cache_bytes)
        self._committer = GroupCommitter(on_commit=wakeups.announce)
        self._refusals: ShortMemory[str, str | None] = ShortMemory(seconds=REFUSAL_MEMORY_SECONDS, size=1)

    def append(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        return self._committer.append(appends, receipt)

    async def append_async(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        if running_loop() is None:
            return self._committer.append(appends, receipt)
        return await self._committer.append_async(appends, receipt)

    def read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        return self._reader.read(partition, after=after, max_events=max_events, max_bytes=max_bytes)

    def bounds(self, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        if not partitions:
            return {}
        rows = run("bounds", partition_ids=[partition.id for partition in partitions])
        places = {partition.id: partition for partition in partitions}
        return {row[0]: clamped(bounds_of_row(*row[1:]), places[row[0]]) for row in rows}

    def offset_at(self, partition: PartitionRef, at: datetime) -> int:
        bounds = self.bounds([partition]).get(partition.id)
        if bounds is None:
            raise PartitionGone
        # recorded_at never falls along the log, so a bisection over the primary key needs no index on it.
        # Invariant: everything before `low` was recorded before `at`; nothing from `high` on was, and `found` is the
        # first of that. Between the two there may be nothing: retention takes the front while it is looked for.
        low, high = bounds.earliest_offset, bounds.head_offset + 1
        found = high
        while low < high:
            middle = (low + high) // 2
            rows = run("offset_at", partition_id=partition.id, offset=middle)
            if not rows:
                high = middle
                continue
            batch = BatchTimes(*rows[0])
            if batch.recorded_at < at:
                low = batch.last_offset + 1
                continue
            first = batch.first_since(at)
            found = max(low, first)
            if first > batch.first_offset:
                # Within a merged batch, and what is before it there was recorded before `at`.
                break
            high = min(middle, found)
        return found

    def recorded_after(self, positions: Sequence[tuple[PartitionRef, int]]) -> Sequence[datetime | None]:
        if not positions:
            return []
        partition_ids = [partition.id for partition, _ in positions]
        afters = [after for _, after in positions]
        rows = run("recorded_after", partition_ids=partition_ids, afters=afters)
        return [
            BatchTimes(*row).at(after + 1) if row[0] is not None and row[0] <= last_offset_in(partition) else None
            for row, (partition, after) in zip(rows, positions, strict=True)
        ]

    def ensure(self, partitions: Sequence[PartitionRef], spec: TopicSpec = PLAIN_TOPIC) -> Mapping[int, Epoch]:
        """Nothing to do: the partition's row, with which the reference was made, is all there is."""
        return {}

    def place_among(self, partitions: Sequence[PartitionRef], count: int) -> None:
        run("place_among", partition_ids=[partition.id for partition in partitions], count=count)

    def trim(
        self,
        partition: PartitionRef,
        *,
        recorded_before: datetime | None = None,
        keep_bytes: int | None = None,
        keep_events: int | None = None,
        max_batches: int = 1_000,
    ) -> int:
        limits = {"recorded_before": recorded_before, "keep_bytes": keep_bytes, "keep_events": keep_events}
        while True:
            rows = run(
                "trim",
                partition_id=partition.id,
                after=first_offset_in(partition) - 1,
                up_to=last_offset_in(partition),
                max_batches=max_batches,
                **limits,
            )
            event_count, is_overtaken = rows[0] if rows else (0, False)
            if not is_overtaken:
                return int(event_count)

    def foresee_trim(
        self,
        partitions: Sequence[PartitionRef],
        *,
        recorded_before: datetime | None = None,
        keep_bytes: int | None = None,
        keep_events: int | None = None,
        max_batches: int = 50_000,
    ) -> Mapping[int, Front]:
        if not partitions:
            return {}
        rows = run(
            "foresee_trim",
            partition_ids=[partition.id for partition in partitions],
            recorded_before=recorded_before,
            keep_bytes=keep_bytes,
            keep_events=keep_events,
            max_batches=max(1, max_batches // len(partitions)),
        )
        places = {partition.id: partition for partition in partitions}
        return {row[0]: _within(places[row[0]], _front(*row[1:])) for row in rows}

    def merge(self, partition: PartitionRef, limits: MergeLimits) -> Merged:
        return merge_batches(partition, limits)

    def oldest_ids(self, partitions: Sequence[PartitionRef]) -> Mapping[int, OldestId]:
        rows = run("remembered_fronts", partition_ids=[partition.id for partition in partitions])
        return {row[0]: OldestId(*row[1:]) for row in rows}

    def partitions_with_ids(self, *, after: int, limit: int) -> Sequence[int]:
        return [partition_id for (partition_id,) in run("partitions_with_ids", after=after, limit=limit)]

    def forget_ids(self, partition_id: int, *, recorded_before: datetime, up_to: int, max_ids: int = 5_000) -> int:
        ((count,),) = run(
            "forget_oldest_ids",
            partition_id=partition_id,
            recorded_before=recorded_before,
            up_to=up_to,
            max_ids=max_ids,
        )
        ((count_of_families,),) = run(
            "forget_oldest_families",
            partition_id=partition_id,
            recorded_before=recorded_before,
            up_to=up_to,
            max_families=_MAX_FAMILIES,
        )
        return int(count) + int(count_of_families)

    def erase(self, partition: PartitionRef, offset: int, *, at: datetime) -> ErasedEvent | None:
        with transaction.atomic():
            erased = erase_in_batch(partition, offset, at=at)
            # What processes remember, they let go of when they next see the partition's mark; this one need not wait.
            transaction.on_commit(lambda: self._reader.cache.discard(partition.id))
        return erased

    def hold(self, partitions: Sequence[PartitionRef]) -> None:
        run("hold", partition_ids=[partition.id for partition in partitions])

    def drop(self, partitions: Sequence[PartitionRef]) -> None:
        ids = sorted(partition.id for partition in partitions)
        with transaction.atomic():
            # The same lock in the same order as an append takes it: one that waits finds the partition gone.
            list(Partition.objects.select_for_update().filter(id__in=ids).order_by("id").values_list("id"))
            for partition in partitions:
                # In steps, so that no statement runs into its timeout, however large the partition is.
                while self.trim(partition, keep_events=0, max_batches=_DROP_STEP_BATCHES):
                    pass
            Partition.objects.filter(id__in=ids).delete()
        for partition_id in ids:
            self._reader.cache.discard(partition_id)

    def health(self) -> LogHealth:
        try:
            health = health_of(run("health")[0])
        except Error as error:
            return LogHealth(is_writable=False, is_durable=False, reason=describe_refusal(error))
        if not health.is_writable:
            return health
        try:
            # Reads may do well while there is no connection for appends. Anybody may ask: one in a second does.
            refusal = self._refusals.get("", self._committer.find_refusal)
        except AnswerMissing:
            refusal = LATE
        return health if refusal is None else replace(health, is_writable=False, reason=refusal)

    def close(self) -> None:
        """Store what was accepted and stop the flusher."""
        self._committer.close()


def _within(place: PartitionRef, front: Front) -> Front:
    """Return what of a front lies in the stretch that was asked for."""
    if not is_here(place):
        return front
    earliest, end = max(front.earliest_offset, first_offset_in(place)), last_offset_in(place) + 1
    return front._replace(
        earliest_offset=earliest,
        first_kept=max(earliest, min(front.first_kept, end)),
        kept_since=front.kept_since if front.first_kept < end else None,
    )


def _front(earliest_offset: int, first_kept: int, is_cut: bool, *kept: Any) -> Front:  # noqa: FBT001 - as a row comes
    since = BatchTimes(*kept).at(first_kept) if kept[0] is not None else None
    return Front(earliest_offset, first_kept, since, is_cut)
