"""Registering the schemas of a stream's events, trying them on what is stored, and proposing first ones."""

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from accounts.audit_actions import AuditAction
from accounts.caller import Caller
from accounts.conf import MAX_FAULTS
from accounts.services.audit import record
from streams.conf import MAX_CHECKED_BYTES, MAX_SCHEMAS
from streams.errors import (
    EventFault,
    IncompatibleSchema,
    NothingToInferFrom,
    SchemaNotFound,
    TooManySchemas,
)
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.lookup import info_of
from streams.models import EventSchema, Stream
from streams.schema_lookup import forget_schemas
from streams.schemas.comparing import compare
from streams.schemas.compatibility import Break, Compatibility
from streams.schemas.document import check_schema, find_ignored
from streams.schemas.inference import infer_schema
from streams.schemas.validator import Validator
from streams.services.lifecycle import hold_stream
from streams.stored_event import StoredEvent, decode_event

# Read at once; events are at most a megabyte each.
_STEP_EVENTS: Final = 20


@dataclass(frozen=True, slots=True)
class Misfit:
    """A stored event that a schema does not take, and why."""

    event: StoredEvent
    faults: list[EventFault]


@dataclass(frozen=True, slots=True)
class SchemaCheck:
    """What would come of a schema.

    Attributes:
        ignored: pointers to keywords that mean nothing.
        compared_with: the version that it was compared with; None: there is none.
        checked_count: stored events of its type that were held to it.
        invalid_count: how many of those it does not take.
        misfits: those, the newest first, at most 100.
    """

    ignored: list[str]
    compatibility: Compatibility
    compared_with: int | None
    breaks: list[Break]
    checked_count: int
    invalid_count: int
    misfits: list[Misfit]

    @property
    def is_compatible(self) -> bool:
        return not self.breaks


def find_latest(stream: Stream, type_: str) -> EventSchema | None:
    """Return the latest version of the schema of a type, if it has one."""
    return stream.schemas.filter(type=type_).order_by("-version").first()


def find_schema(stream: Stream, type_: str, version: int | None = None) -> EventSchema:
    """Return a version of the schema of a type, or the latest.

    Raises:
        SchemaNotFound
    """
    found = (
        find_latest(stream, type_) if version is None else stream.schemas.filter(type=type_, version=version).first()
    )
    if found is None:
        raise SchemaNotFound(f"{stream.name} has no such schema for events of the type {type_}.")
    return found


def register_schema(
    *, caller: Caller, stream: Stream, type_: str, document: Any, compatibility: Compatibility | None
) -> tuple[EventSchema, bool]:
    """Make a schema the latest version for its type; return it, and whether it is new.

    One that is equal to the latest version is that version.

    Args:
        compatibility: what it must keep of the version before, and what the next one must keep of it if nothing else
            is said then; None: as the version before, `forward` for the first.

    Raises:
        InvalidSchema, IncompatibleSchema, TooManySchemas, StreamNotFound
    """
    text = check_schema(document)
    Validator(document, version=0)
    while True:
        latest = find_latest(stream, type_)
        wanted = _wanted(compatibility, latest)
        if latest is not None and latest.document == text and latest.compatibility == wanted:
            return latest, False
        # Before anything is locked: to compare two schemas can take seconds.
        if latest is not None and latest.document != text:
            _require_compatible(latest, document, wanted)
        schema = _add_version(caller, stream, type_, text, wanted, after=latest)
        if schema is not None:
            return schema, True


def _add_version(
    caller: Caller, stream: Stream, type_: str, text: str, compatibility: Compatibility, *, after: EventSchema | None
) -> EventSchema | None:
    """Make a schema the version after the one that it was compared with; None: that is not the latest any more."""
    with transaction.atomic():
        hold_stream(stream, None)
        if find_latest(stream, type_) != after:
            return None
        if stream.schemas.count() >= MAX_SCHEMAS:
            raise TooManySchemas(f"{stream.name} has {MAX_SCHEMAS} schemas, which is the most.")
        schema = EventSchema.objects.create(
            stream=stream,
            type=type_,
            version=after.version + 1 if after else 1,
            document=text,
            compatibility=compatibility,
            created_by=caller.reference,
        )
        record(
            AuditAction.SCHEMA_REGISTERED,
            stream=(stream.pk, stream.name),
            after={"type": type_, "version": schema.version, "compatibility": compatibility},
        )
        transaction.on_commit(forget_schemas)
    return schema


def check_proposed(
    *, stream: Stream, type_: str, document: Any | None, compatibility: Compatibility | None, last: int
) -> SchemaCheck:
    """Say what would come of a schema, and of the latest version if none is proposed; nothing is changed.

    Args:
        last: how many of the newest events are looked at, of all types together.

    Raises:
        InvalidSchema
        SchemaNotFound: none was proposed, and there is none.
    """
    latest = find_latest(stream, type_)
    wanted = _wanted(compatibility, latest)
    breaks: list[Break] = []
    if document is None:
        latest = find_schema(stream, type_)
        document = json.loads(latest.document)
    else:
        check_schema(document)
        breaks = compare(json.loads(latest.document), document, wanted) if latest else []
    validator = Validator(document, version=latest.version if latest else 1)
    checked, invalid = 0, 0
    misfits: list[Misfit] = []
    for event in _newest(stream, type_, last):
        checked += 1
        payload = bytes(event.payload)
        if validator.accepts(payload):
            continue
        invalid += 1
        if len(misfits) < MAX_FAULTS:
            misfits.append(Misfit(event, validator.find_faults(payload, pointer="/payload", limit=5)))
    return SchemaCheck(
        ignored=find_ignored(document),
        compatibility=wanted,
        compared_with=latest.version if latest else None,
        breaks=breaks,
        checked_count=checked,
        invalid_count=invalid,
        misfits=misfits,
    )


def propose_schema(*, stream: Stream, type_: str, last: int) -> tuple[dict[str, Any], int]:
    """Return a schema that takes the newest events of a type, and how many those are.

    Raises:
        NothingToInferFrom
    """
    schema, count = infer_schema(bytes(event.payload) for event in _newest(stream, type_, last))
    if not count:
        raise NothingToInferFrom(f"Among the last {last} events of {stream.name} none has the type {type_}.")
    return schema, count


def _wanted(compatibility: Compatibility | None, latest: EventSchema | None) -> Compatibility:
    return compatibility or Compatibility(latest.compatibility if latest else Compatibility.FORWARD)


def _require_compatible(latest: EventSchema, document: Any, wanted: Compatibility) -> None:
    breaks = compare(json.loads(latest.document), document, wanted)
    if breaks:
        raise IncompatibleSchema([EventFault(each.pointer, each.breaks, each.detail) for each in breaks])


def _newest(stream: Stream, type_: str, last: int) -> Iterator[StoredEvent]:
    """The events of a type among the last ones of each partition, newest first, without those that were erased.

    At most so many, and not many more bytes than may be looked at.
    """
    info = info_of(stream)
    each = -(-last // len(info.partitions))
    bounds = get_log().bounds(info.partitions)
    left_bytes = MAX_CHECKED_BYTES
    for partition in info.partitions:
        head = bounds[partition.id].head_offset
        first = max(bounds[partition.id].earliest_offset, head - each + 1)
        for end in range(head, first - 1, -_STEP_EVENTS):
            for raw in reversed(_read(partition, max(first, end - _STEP_EVENTS + 1), end)):
                if left_bytes <= 0:
                    return
                left_bytes -= len(raw)
                event = decode_event(raw)
                if event.type == type_ and event.erased is None:
                    yield event


def _read(partition: PartitionRef, first: int, last: int) -> list[bytes]:
    events: list[bytes] = []
    position = first - 1
    while position < last:
        read = get_log().read(partition, after=position, max_events=last - position, max_bytes=MAX_CHECKED_BYTES)
        if not read.events:
            break
        events += read.events[: bisect_right(read.offsets, last)]
        position = read.next_offset
    return events
