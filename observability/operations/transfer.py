"""Taking a stream's events out and in again, as NDJSON: one event a line, as consumers read it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from accounts.audit_actions import AuditAction
from accounts.http.strict_json import check_text
from accounts.services.audit import record
from observability.conf import TRANSFER_BYTES, TRANSFER_EVENTS
from streams.envelope import Envelope, Made, make_records
from streams.errors import PartitionGone
from streams.log import get_log
from streams.log.protocol import PartitionAppend
from streams.lookup import StreamInfo, renewed
from streams.partitioning import partition_for_key
from streams.queries import totals_of
from streams.services.ingest import deduplication_of
from streams.stored_event import ExportedEvent, NotAnEvent, decode_exported, erase_record, mark_invalid
from streams.timing import keep_moments


class NotAnExport(Exception):
    """A line of an import is not an exported event. It never leaves the command line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"Line {line} is not an exported event: {reason}")


def count_events(stream: StreamInfo) -> int:
    """Return how many events a stream keeps."""
    return totals_of([stream])[stream.id].event_count


def export_events(stream: StreamInfo) -> Iterator[Sequence[bytes]]:
    """Yield the kept events in portions, partition after partition, each in order.

    What is appended after the first portion is not among them.
    """
    bounds = get_log().bounds(stream.partitions)
    for partition in stream.partitions:
        position, head = 0, bounds[partition.id].head_offset
        while position < head:
            found = get_log().read(
                partition, after=position, max_events=min(TRANSFER_EVENTS, head - position), max_bytes=TRANSFER_BYTES
            )
            position = found.next_offset
            if not found.events:
                break
            # Events that retention takes meanwhile may let a read run past the head that was noted.
            yield [event for event, offset in zip(found.events, found.offsets, strict=True) if offset <= head]


class Imported(NamedTuple):
    """How many events of a portion were stored, and how many had been before, by their ids."""

    stored: int
    repeated: int


def import_events(stream: StreamInfo, lines: Iterable[bytes], *, partitions: int) -> Iterator[Imported]:
    """Append exported events; yield how many, each time that some are durable. In the end the stream's history has it.

    A stream that stores ids once does so here too: what was broken off can be repeated from the beginning.

    Every event stays in its partition and in its order, so a whole stream imported into an empty one gets its old
    offsets. Payloads are kept byte by byte.

    Args:
        partitions: how many the exported stream had; with as many, each event goes where it was. Otherwise
            events go where their key says, and those without a key are spread.

    Raises:
        NotAnExport: a line is not an exported event. What was yielded before is stored.
        InvalidEvents, TooDeep, PayloadTooLarge: as for any append.
        AppendNotStored, AppendOutcomeUnknown: the portion after the last yielded one failed.
    """
    imported = 0
    try:
        for portion in _portions(lines):
            try:
                count = _append(stream, portion, partitions)
            except PartitionGone:
                # Partitions were added meanwhile, and nothing of this portion was stored.
                stream = renewed(stream)
                count = _append(stream, portion, partitions)
            imported += count.stored
            yield count
    finally:
        # Also of an import that ended too early: what is stored is stored.
        if imported:
            record(AuditAction.STREAM_IMPORTED, stream=(stream.id, stream.name), after={"events": imported})


def _portions(lines: Iterable[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    """Yield lines, each with its number; empty ones are left out."""
    portion: list[tuple[int, bytes]] = []
    size = 0
    for number, line in enumerate(lines, start=1):
        if portion and (len(portion) == TRANSFER_EVENTS or size + len(line) > TRANSFER_BYTES):
            yield portion
            portion, size = [], 0
        if not line.strip():
            continue
        portion.append((number, line))
        size += len(line)
    if portion:
        yield portion


def _append(stream: StreamInfo, lines: Sequence[tuple[int, bytes]], partitions: int) -> Imported:
    by_partition: dict[int, list[ExportedEvent]] = {}
    for number, line in lines:
        try:
            check_text(line)
            event = decode_exported(line)
        except NotAnEvent as error:
            raise NotAnExport(number, str(error)) from error
        by_partition.setdefault(_place(event, stream, partitions), []).append(event)
    made = {number: _records_of(events) for number, events in sorted(by_partition.items())}
    appended = get_log().append(
        [
            PartitionAppend(
                stream.partitions[number],
                records,
                deduplication_of(stream, ids),
                placed_among=len(stream.partitions),
                timed=timed,
                keys=[None if each.key is None else each.key.encode() for each in by_partition[number]],
            )
            for number, (records, ids, timed) in made.items()
        ]
    )
    repeated = sum(len(each.repeats) for each in appended.ranges)
    return Imported(len(lines) - repeated, repeated)


def _records_of(events: Sequence[ExportedEvent]) -> Made:
    """Return the events as records; those that did not fit their schema, or were erased, stay marked so."""
    made = make_records([_envelope_of(event) for event in events], is_single=False)
    if any(event.erased or event.schema for event in events):
        return made._replace(
            records=[_marked(record, event) for event, record in zip(events, made.records, strict=True)]
        )
    return made


def _envelope_of(event: ExportedEvent) -> Envelope:
    envelope = Envelope(
        payload=event.payload,
        type=event.type,
        key=event.key,
        id=event.id,
        occurred_at=event.occurred_at,
        headers=event.headers,
        deliver_after=event.deliver_after,
        expires_after=event.expires_after,
    )
    if event.recorded_at is not None:
        keep_moments(envelope, recorded_at=event.recorded_at, now=datetime.now(UTC))
    return envelope


def _marked(record: bytes, event: ExportedEvent) -> bytes:
    if event.schema is not None and not event.schema.valid:
        record = mark_invalid(record, version=event.schema.version)
    return record if event.erased is None else erase_record(record, at=event.erased.at, size=None)


def _place(event: ExportedEvent, stream: StreamInfo, partitions: int) -> int:
    count = len(stream.partitions)
    if count == partitions and 0 <= event.partition < count:
        return event.partition
    return partition_for_key(event.key.encode(), count) if event.key is not None else event.partition % count
