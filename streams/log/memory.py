"""The executable specification of a log: small and obviously right, in memory, under one lock."""

import threading
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import ClassVar, NamedTuple, TypeAlias

from accounts.errors import IdempotencyKeyReused
from streams.errors import HeadMoved, PartitionGone, StreamRecreated
from streams.log.protocol import (
    EVERY_CAPABILITY,
    PLAIN_TOPIC,
    Appended,
    AppendedRange,
    Bounds,
    Capability,
    EarlierEvent,
    Epoch,
    ErasedEvent,
    Front,
    Gap,
    LogHealth,
    Merged,
    MergeLimits,
    OldestId,
    PartitionAppend,
    PartitionRef,
    ReadResult,
    Receipt,
    Run,
    TopicSpec,
)
from streams.stored_event import erase_record, is_erased, place_records


class _StoredEvent(NamedTuple):
    offset: int
    recorded_at: datetime
    record: bytes


@dataclass
class _Partition:
    batches: list[list[_StoredEvent]] = field(default_factory=list)
    head_offset: int = 0
    last_recorded_at: datetime | None = None
    least_placed_among: int = 0
    timed_through: int = 0

    @property
    def events(self) -> list[_StoredEvent]:
        return [event for batch in self.batches for event in batch]

    @property
    def bounds(self) -> Bounds:
        earliest = self.batches[0][0].offset if self.batches else self.head_offset + 1
        return Bounds(earliest, self.head_offset, self.last_recorded_at, self.timed_through)


class _Met(NamedTuple):
    """An event whose id is remembered."""

    partition_id: int
    event: EarlierEvent


_Ids: TypeAlias = dict[tuple[int, bytes], _Met]


def check_records(appends: Sequence[PartitionAppend]) -> None:
    """Refuse what is no append.

    Raises:
        ValueError: as `Log.append` says.
    """
    if not appends or not all(append.records for append in appends):
        raise ValueError("an append holds at least one event for each of its partitions")
    for record in (record for append in appends for record in append.records):
        if not record.startswith(b"{") or b"\n" in record:
            raise ValueError("a record is a JSON object on one line")


def _append(partition: _Partition, append: PartitionAppend, met: _Ids) -> AppendedRange:
    first_offset = partition.head_offset + 1
    recorded_at = max(filter(None, (datetime.now(UTC), partition.last_recorded_at)))
    repeats: dict[int, EarlierEvent] = {}
    stored: list[_StoredEvent] = []
    timed_through = partition.timed_through
    for position, record in enumerate(append.records):
        offset = first_offset + len(stored)
        if append.deduplication is not None:
            key = append.deduplication.stream_id, append.deduplication.digests[position]
            earliest = recorded_at - timedelta(seconds=append.deduplication.window_seconds)
            if key in met and met[key].event.recorded_at > earliest:
                repeats[position] = met[key].event
                continue
            met[key] = _Met(append.partition.id, EarlierEvent(append.partition.number, offset, recorded_at))
        stored.append(_StoredEvent(offset, recorded_at, record))
        if position in append.timed:
            timed_through = offset
    if not stored:
        return AppendedRange(append.partition, (), repeats)
    if append.placed_among < partition.least_placed_among:
        raise PartitionGone
    if append.expected_head not in (None, partition.head_offset):
        raise HeadMoved(expected=append.expected_head or 0, head=partition.head_offset)
    partition.batches.append(stored)
    partition.head_offset += len(stored)
    partition.timed_through = timed_through
    partition.last_recorded_at = recorded_at
    return AppendedRange(append.partition, (Run(first_offset, partition.head_offset, recorded_at),), repeats)


def _may_be_one(events: list[_StoredEvent], limits: MergeLimits) -> bool:
    first, last = events[0], events[-1]
    return (
        first.offset > limits.after
        and last.recorded_at < limits.recorded_before
        and len(events) <= limits.max_events
        and sum(len(event.record) + 1 for event in events) <= limits.max_bytes
        and last.recorded_at - first.recorded_at <= limits.max_span
    )


def _placed(partition: PartitionRef, event: _StoredEvent) -> bytes:
    (text,) = place_records(
        [event.record[1:]], partition=partition.number, first_offset=event.offset, recorded_at=event.recorded_at
    )
    return text


class MemoryLog:
    """`Log` for tests. It forgets everything with the process, and says so."""

    capabilities: ClassVar[frozenset[Capability]] = EVERY_CAPABILITY

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._partitions: dict[int, _Partition] = {}
        self._ids: _Ids = {}
        self._answers: dict[tuple[str, str], tuple[bytes, bytes, set[int]]] = {}

    def append(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        check_records(appends)
        with self._lock:
            if receipt is not None and (receipt.caller, receipt.key) in self._answers:
                request_hash, answer, went_to = self._answers[receipt.caller, receipt.key]
                if request_hash != receipt.request_hash:
                    raise IdempotencyKeyReused
                if any(partition_id not in self._partitions for partition_id in went_to):
                    raise StreamRecreated
                return Appended(ranges=(), body=answer, is_replay=True)
            changed = {append.partition.id: deepcopy(self._partition(append.partition)) for append in appends}
            met = dict(self._ids)
            ranges = [_append(changed[append.partition.id], append, met) for append in appends]
            body: bytes | None = None
            if receipt is not None:
                body = receipt.render(ranges)
                self._answers[receipt.caller, receipt.key] = (receipt.request_hash, body, set(changed))
            # Only now: whatever failed until here has stored nothing.
            self._partitions.update(changed)
            self._ids = met
            return Appended(ranges=ranges, body=body)

    async def append_async(self, appends: Sequence[PartitionAppend], *, receipt: Receipt | None = None) -> Appended:
        return self.append(appends, receipt=receipt)

    def _partition(self, partition: PartitionRef) -> _Partition:
        if partition.id not in self._partitions:
            raise PartitionGone
        return self._partitions[partition.id]

    def _events_of(self, partition: PartitionRef) -> list[_StoredEvent]:
        return self._partition(partition).events if partition.id in self._partitions else []

    def read(self, partition: PartitionRef, *, after: int, max_events: int, max_bytes: int) -> ReadResult:
        with self._lock:
            stored = self._partition(partition)
            bounds = stored.bounds
            chosen: list[_StoredEvent] = []
            events: list[bytes] = []
            for event in stored.events:
                if event.offset <= after:
                    continue
                text = _placed(partition, event)
                max_bytes -= len(text)
                if events and (max_bytes < 0 or len(events) == max_events):
                    break
                chosen.append(event)
                events.append(text)
            first_offset = chosen[0].offset if chosen else max(after + 1, bounds.earliest_offset)
            return ReadResult(
                events=events,
                offsets=[event.offset for event in chosen],
                next_offset=chosen[-1].offset if chosen else first_offset - 1,
                bounds=bounds,
                gap=Gap(after + 1, first_offset - 1) if first_offset > after + 1 else None,
            )

    def bounds(self, partitions: Sequence[PartitionRef]) -> Mapping[int, Bounds]:
        with self._lock:
            return {p.id: self._partitions[p.id].bounds for p in partitions if p.id in self._partitions}

    def offset_at(self, partition: PartitionRef, at: datetime) -> int:
        with self._lock:
            stored = self._partition(partition)
            later = (event.offset for event in stored.events if event.recorded_at >= at)
            return next(later, stored.head_offset + 1)

    def recorded_after(self, positions: Sequence[tuple[PartitionRef, int]]) -> Sequence[datetime | None]:
        with self._lock:
            return [
                next((each.recorded_at for each in self._events_of(partition) if each.offset > after), None)
                for partition, after in positions
            ]

    def ensure(self, partitions: Sequence[PartitionRef], spec: TopicSpec = PLAIN_TOPIC) -> Mapping[int, Epoch]:
        with self._lock:
            for partition in partitions:
                self._partitions.setdefault(partition.id, _Partition())
        return {}

    def place_among(self, partitions: Sequence[PartitionRef], count: int) -> None:
        with self._lock:
            for partition in partitions:
                self._partition(partition).least_placed_among = count

    def trim(
        self,
        partition: PartitionRef,
        *,
        recorded_before: datetime | None = None,
        keep_bytes: int | None = None,
        keep_events: int | None = None,
        max_batches: int = 1_000,
    ) -> int:
        with self._lock:
            stored = self._partitions.get(partition.id, _Partition())
            deleted = 0
            for _ in range(max_batches):
                if not stored.batches:
                    break
                oldest, rest = stored.batches[0], stored.batches[1:]
                kept = [event for batch in rest for event in batch]
                may_go = (
                    (recorded_before is not None and oldest[-1].recorded_at < recorded_before)
                    or (keep_events is not None and len(kept) >= keep_events)
                    or (keep_bytes is not None and sum(len(event.record) for event in kept) >= keep_bytes)
                )
                if not may_go:
                    break
                stored.batches = rest
                deleted += len(oldest)
            return deleted

    def foresee_trim(
        self,
        partitions: Sequence[PartitionRef],
        *,
        recorded_before: datetime | None = None,
        keep_bytes: int | None = None,
        keep_events: int | None = None,
        max_batches: int = 50_000,
    ) -> Mapping[int, Front]:
        with self._lock:
            return {
                each.id: self._foresee(each, recorded_before, keep_bytes, keep_events)
                for each in partitions
                if each.id in self._partitions
            }

    def _foresee(
        self, partition: PartitionRef, recorded_before: datetime | None, keep_bytes: int | None, keep_events: int | None
    ) -> Front:
        stored = self._partitions[partition.id]
        # Tried on a copy, and all of it is weighed.
        tried = type(self)()
        tried._partitions[partition.id] = deepcopy(stored)  # noqa: SLF001 - of its own kind
        while tried.trim(partition, recorded_before=recorded_before, keep_bytes=keep_bytes, keep_events=keep_events):
            pass
        first_kept = tried.bounds([partition])[partition.id].earliest_offset
        (kept_since,) = tried.recorded_after([(partition, first_kept - 1)])
        return Front(stored.bounds.earliest_offset, first_kept, kept_since)

    def oldest_ids(self, partitions: Sequence[PartitionRef]) -> Mapping[int, OldestId]:
        with self._lock:
            oldest = {p.id: min(self._ids_of(p.id), default=None) for p in partitions if p.id in self._partitions}
            return {
                partition_id: OldestId(met.offset, met.recorded_at, self._partitions[partition_id].head_offset)
                for partition_id, met in oldest.items()
                if met is not None
            }

    def _ids_of(self, partition_id: int) -> list[EarlierEvent]:
        return [met.event for met in self._ids.values() if met.partition_id == partition_id]

    def partitions_with_ids(self, *, after: int, limit: int) -> Sequence[int]:
        with self._lock:
            return sorted({met.partition_id for met in self._ids.values() if met.partition_id > after})[:limit]

    def forget_ids(self, partition_id: int, *, recorded_before: datetime, up_to: int, max_ids: int = 5_000) -> int:
        with self._lock:
            passed = [
                each
                for each in sorted(self._ids_of(partition_id), key=attrgetter("offset"))[:max_ids]
                if each.recorded_at < recorded_before or each.offset <= up_to
            ]
            self._ids = {
                key: met
                for key, met in self._ids.items()
                if met.partition_id != partition_id or met.event not in passed
            }
            return len(passed)

    def merge(self, partition: PartitionRef, limits: MergeLimits) -> Merged:
        with self._lock:
            stored = self._partitions.get(partition.id, _Partition())
            merged: list[list[_StoredEvent]] = []
            for batch in stored.batches:
                if merged and _may_be_one([*merged[-1], *batch], limits):
                    merged[-1] = [*merged[-1], *batch]
                else:
                    merged.append(batch)
            gone = len(stored.batches) - len(merged)
            stored.batches = merged
            return Merged(batches_gone=gone)

    def erase(self, partition: PartitionRef, offset: int, *, at: datetime) -> ErasedEvent | None:
        with self._lock:
            for batch in self._partition(partition).batches:
                for index, event in enumerate(batch):
                    if event.offset != offset:
                        continue
                    is_new = not is_erased(event.record)
                    if is_new:
                        record = erase_record(event.record, at=at, size=len(event.record))
                        batch[index] = event._replace(record=record)
                    return ErasedEvent(_placed(partition, batch[index]), is_new)
            return None

    def hold(self, partitions: Sequence[PartitionRef]) -> None:
        """Nothing to hold: there are no transactions."""

    def drop(self, partitions: Sequence[PartitionRef]) -> None:
        with self._lock:
            for partition in partitions:
                self._partitions.pop(partition.id, None)

    def health(self) -> LogHealth:
        return LogHealth(is_writable=True, is_durable=False, reason="events are kept in memory")

    def close(self) -> None:
        """Nothing to finish: an append is stored when it returns."""
