"""Appending events: may the caller, is the stream open, which partition, and what to answer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from accounts.caller import Caller
from accounts.database_threads import in_database_thread
from accounts.errors import IdempotencyInProgress, QuotaExceeded, ScopeMissing
from accounts.long_work import off_the_loop_if_long
from accounts.quotas import STORED_MIB, quota_of
from accounts.roles import Right
from accounts.services.idempotency import find_answer
from accounts.waits import run_blocking
from streams.digests import digests_of
from streams.envelope import Envelope, Made, make_records
from streams.errors import (
    AppendNotStored,
    EventFault,
    HeadNotOfOne,
    InvalidEvents,
    InvalidPayloads,
    PartitionGone,
    StreamNotFound,
    StreamPaused,
    StreamReadOnly,
)
from streams.log import get_log, offers, refuse_read_only, require_offer
from streams.log.protocol import (
    Appended,
    AppendedRange,
    Capability,
    Deduplication,
    EarlierEvent,
    PartitionAppend,
    PartitionRef,
    Receipt,
)
from streams.lookup import StreamInfo, forget_streams, require_stream_async, require_streams_async
from streams.partitioning import next_keyless_partition, partition_of_key
from streams.services.receipts import append_once
from streams.services.validation import validate, validators_for

_encoder = msgspec.json.Encoder()
Render = Callable[["Placement", Sequence[AppendedRange]], bytes]
# How often an append is placed, at most: each time but the first because the stream's partitions are others by then.
MAX_PLACEMENTS: Final = 4


@dataclass(frozen=True, slots=True)
class Placement:
    """Where each event of a request goes, before its offset is known.

    Attributes:
        ids: each event's id, in request order.
        places: for each event, which append it is part of and its position in it; None where all events are
            in one append, in order.
    """

    ids: list[str]
    appends: list[PartitionAppend]
    places: list[tuple[int, int]] | None


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The caller's `Idempotency-Key` and what makes the request the same one."""

    key: str
    request_hash: bytes


async def append_events_async(
    *,
    caller: Caller,
    events: Sequence[Envelope],
    is_single: bool,
    stream_name: str | None,
    render: Render,
    idempotency: Idempotency | None = None,
    expected_head: int | None = None,
    is_atomic: bool = False,
    size: int = 0,
) -> tuple[Appended, bytes]:
    """Store all of the events durably, or none; return where they went and the rendered answer.

    Args:
        events: they become their records, and cannot be appended again.
        stream_name: the stream of all events, where the address names it; else each event names its own.
        render: makes the response body from the placement and the ranges; a retry with the same
            Idempotency-Key is answered with the same bytes.
        expected_head: store them only if the partition of all of them ends there; None: wherever it does.
        is_atomic: refuse several events where their engine may store a part of them.
        size: of the request, in bytes: what is long is prepared where it holds up nobody.

    Raises:
        StreamNotFound, ScopeMissing, StreamPaused: not for this caller, not now.
        InvalidEvents, InvalidPayloads, TooDeep, PayloadTooLarge: some events cannot be accepted.
        HeadNotOfOne, HeadMoved: a head was expected that the events do not have in common, or that has moved.
        IdempotencyKeyReused, IdempotencyInProgress, StreamRecreated: see there.
        NotOffered: their engine does not promise what is asked for.
        AppendNotStored, AppendOutcomeUnknown: the database failed before, or at, the commit.
    """
    try:
        return await _append(
            caller,
            events,
            stream_name,
            render,
            idempotency,
            expected_head=expected_head,
            is_atomic=is_atomic,
            is_single=is_single,
            size=size,
        )
    except (StreamPaused, StreamReadOnly, StreamNotFound, ScopeMissing, InvalidPayloads, HeadNotOfOne):
        if idempotency is None:
            raise
        # A refusal says "never stored": not of a retry whose first request was stored before things changed.
        find = partial(find_answer, caller=caller.reference, key=idempotency.key, request_hash=idempotency.request_hash)
        answer = await in_database_thread(find)
        if not answer:
            raise
        return Appended((), answer.body, is_replay=True), answer.body


def append_events(
    *,
    caller: Caller,
    events: Sequence[Envelope],
    is_single: bool,
    stream_name: str | None,
    render: Render,
    idempotency: Idempotency | None = None,
) -> tuple[Appended, bytes]:
    """Do what `append_events_async` does, in a thread that may wait."""
    return run_blocking(
        append_events_async(
            caller=caller,
            events=events,
            is_single=is_single,
            stream_name=stream_name,
            render=render,
            idempotency=idempotency,
        )
    )


async def _append(
    caller: Caller,
    events: Sequence[Envelope],
    stream_name: str | None,
    render: Render,
    idempotency: Idempotency | None,
    *,
    expected_head: int | None,
    is_atomic: bool,
    is_single: bool,
    size: int,
) -> tuple[Appended, bytes]:
    names = _names_of(events, stream_name, is_single=is_single)
    streams = await _open_streams(caller, names)
    each = [streams] if isinstance(streams, StreamInfo) else streams
    if is_atomic and len(events) > 1:
        for alias in {stream.engine for stream in each}:
            require_offer(alias, Capability.ATOMIC_APPEND)
    validators = await validators_for(each)

    # Nobody else asks.
    ids_are_new = any(stream.deduplicate_ids for stream in each) and all(event.id is UNSET for event in events)

    key = None if idempotency is None else idempotency.key

    def make_and_place() -> tuple[Placement, Made]:
        made = make_records(events, is_single=is_single)
        if validators:
            made = made._replace(records=validate(events, made.records, streams, validators, is_single=is_single))
        placement = _place(events, streams, made, are_new=ids_are_new, key=key)
        return placement if expected_head is None else _expect(placement, streams, events, expected_head), made

    placement, made = await off_the_loop_if_long(make_and_place, size=size)
    for _ in range(MAX_PLACEMENTS):
        try:
            return await _store(placement, caller, render, idempotency)
        except PartitionGone:
            # Since it was looked up here, partitions were added to the stream on another worker, or it was deleted and
            # made anew there.
            forget_streams()
            streams = await _open_streams(caller, names)
            placement = _place(events, streams, made, are_new=ids_are_new, key=key)
            if expected_head is not None:
                placement = _expect(placement, streams, events, expected_head)
    raise AppendNotStored("Partitions were added to the stream again and again meanwhile. Nothing was stored; retry.")


async def _store(
    placement: Placement, caller: Caller, render: Render, idempotency: Idempotency | None
) -> tuple[Appended, bytes]:
    receipt = None
    if idempotency is not None:
        receipt = Receipt(
            caller=caller.reference,
            key=idempotency.key,
            request_hash=idempotency.request_hash,
            render=lambda ranges: render(placement, ranges),
        )
    if receipt is not None and not offers(placement.appends[0].partition, Capability.RECEIPT_IN_SAME_TRANSACTION):
        appended = await append_once(placement.appends, receipt)
    else:
        try:
            appended = await get_log().append_async(placement.appends, receipt=receipt)
        except IdempotencyInProgress:
            if receipt is None or not placement.appends[0].partition.epochs:
                raise
            # Its first try began while the stream lay where no receipts are kept.
            appended = await append_once(placement.appends, receipt)
    body = appended.body if appended.body is not None else render(placement, appended.ranges)
    return appended, body


def _names_of(events: Sequence[Envelope], stream_name: str | None, *, is_single: bool) -> str | list[str]:
    """Return the name of the one stream of all events, or each event's own."""
    names = [event.stream for event in events]
    if stream_name is not None:
        if names.count(UNSET) + names.count(stream_name) < len(names):
            raise InvalidEvents(
                [
                    EventFault(
                        _pointer(index, is_single=is_single), "stream_mismatch", "The address names another stream."
                    )
                    for index, name in enumerate(names)
                    if name not in (UNSET, stream_name)
                ]
            )
        return stream_name
    if UNSET in names:
        raise InvalidEvents(
            [
                EventFault(_pointer(index, is_single=is_single), "required", "`stream` is required.")
                for index, name in enumerate(names)
                if name is UNSET
            ]
        )
    return [str(name) for name in names]


def _pointer(index: int, *, is_single: bool) -> str:
    return "/stream" if is_single else f"/{index}/stream"


async def _open_streams(caller: Caller, names: str | list[str]) -> StreamInfo | list[StreamInfo]:
    if isinstance(names, str):
        return await _open_stream(caller, names)
    found = await require_streams_async(caller, list(dict.fromkeys(names)), Right.PRODUCE)
    for stream in found.values():
        _refuse_closed(stream)
    return next(iter(found.values())) if len(found) == 1 else [found[name] for name in names]


async def _open_stream(caller: Caller, name: str) -> StreamInfo:
    stream = await require_stream_async(caller, name, Right.PRODUCE)
    _refuse_closed(stream)
    return stream


def _refuse_closed(stream: StreamInfo) -> None:
    if stream.is_paused:
        raise StreamPaused(f"{stream.name} is paused: its owner or an admin can resume it. Nothing was stored.")
    refuse_read_only(stream.partitions)
    if stream.is_full:
        raise QuotaExceeded(
            STORED_MIB,
            f"The owner of {stream.name} has stored {quota_of(STORED_MIB)} MiB, which is the most. Nothing was stored.",
        )


def _place(
    events: Sequence[Envelope],
    streams: StreamInfo | list[StreamInfo],
    made: Made,
    *,
    are_new: bool,
    key: str | None = None,
) -> Placement:
    """Choose the partition of each event.

    Args:
        are_new: their ids were made for them.
        key: the request's `Idempotency-Key`.
    """
    records, ids, timed = made
    if isinstance(streams, StreamInfo) and len(streams.partitions) == 1:
        deduplication = deduplication_of(streams, ids, are_new=are_new)
        append = PartitionAppend(streams.partitions[0], records, deduplication, placed_among=1, timed=timed)
        if append.partition.epochs:
            append = append._replace(keys=[_key_of(event) for event in events])
        return Placement(ids, [append], None)
    # By the partition's id: hashing a number costs less than hashing a tuple.
    appends: dict[int, tuple[int, PartitionRef, StreamInfo, list[bytes], list[str]]] = {}
    keyless: dict[int, PartitionRef] = {}
    places: list[tuple[int, int]] = []
    for position, (event, record) in enumerate(zip(events, records, strict=True)):
        stream = streams if isinstance(streams, StreamInfo) else streams[position]
        partitions = stream.partitions
        if event.key is not None:
            partition = partitions[partition_of_key(event.key, len(partitions))]
        else:
            # Events without a key stay together in one request.
            partition = keyless.get(stream.id) or _keyless_partition(stream, key)
            keyless[stream.id] = partition
        lane = appends.get(partition.id) or appends.setdefault(partition.id, (len(appends), partition, stream, [], []))
        index, _, _, batch, own_ids = lane
        places.append((index, len(batch)))
        batch.append(record)
        if stream.deduplicate_ids is not None:
            own_ids.append(ids[position])
    # By append: the positions of its events that have times, of which there are few.
    timed_in: dict[int, list[int]] = {}
    for index, position in (places[number] for number in timed):
        timed_in.setdefault(index, []).append(position)
    keys_of: dict[int, list[bytes | None]] = {}
    if any(partition.epochs for _, partition, *_ in appends.values()):
        for event, (index, _) in zip(events, places, strict=True):
            keys_of.setdefault(index, []).append(_key_of(event))
    return Placement(
        ids,
        [
            PartitionAppend(
                partition,
                batch,
                deduplication_of(stream, own_ids, are_new=are_new),
                placed_among=len(stream.partitions),
                timed=timed_in.get(index, ()),
                keys=keys_of.get(index, ()),
            )
            for index, partition, stream, batch, own_ids in appends.values()
        ],
        places,
    )


def _keyless_partition(stream: StreamInfo, key: str | None) -> PartitionRef:
    partitions = stream.partitions
    if key is not None and partitions[0].epochs:
        # A retry looks where the first try went, as its receipt may not tell.
        return partitions[partition_of_key(key, len(partitions))]
    return partitions[next_keyless_partition(stream.id, len(partitions))]


def _key_of(event: Envelope) -> bytes | None:
    return None if event.key is None else event.key.encode()


def deduplication_of(stream: StreamInfo, ids: Sequence[str], *, are_new: bool = False) -> Deduplication | None:
    """Return what the log is to know of events' ids; None where the stream stores whatever comes.

    Args:
        are_new: they were made for these events.
    """
    if stream.deduplicate_ids is None:
        return None
    return Deduplication(stream.id, stream.deduplicate_ids, digests_of(ids), are_new)


def _expect(
    placement: Placement, streams: StreamInfo | list[StreamInfo], events: Sequence[Envelope], head: int
) -> Placement:
    """Have the events stored only if their partition ends there.

    Raises:
        HeadNotOfOne: they go to several partitions, or nobody can say beforehand to which.
    """
    if len(placement.appends) > 1:
        raise HeadNotOfOne("These events go to several partitions, and `If-Head` names the head of one.")
    if not isinstance(streams, StreamInfo) or (
        len(streams.partitions) > 1 and any(event.key is None for event in events)
    ):
        raise HeadNotOfOne(
            "Events without a key go to any partition of this stream, and `If-Head` names the head of one."
        )
    return replace(placement, appends=[placement.appends[0]._replace(expected_head=head)])


class Stored(NamedTuple):
    """Where one event is: as it was stored now, or, if it `is_repeated`, where its id came first."""

    stream: str
    partition: int
    offset: int
    recorded_at: datetime
    is_repeated: bool


def stored_events(placement: Placement, ranges: Sequence[AppendedRange]) -> list[Stored]:
    """Return where each event is, in request order."""
    of_appends = [
        list(_stored(each, len(append.records))) for each, append in zip(ranges, placement.appends, strict=True)
    ]
    if placement.places is None:
        return of_appends[0]
    return [of_appends[index][position] for index, position in placement.places]


def _stored(range_: AppendedRange, count: int) -> Iterator[Stored]:
    partition, _, repeats = range_
    places = places_in(range_)
    for position in range(count):
        first = repeats.get(position) or EarlierEvent(partition.number, *next(places))
        yield Stored(partition.stream, *first, is_repeated=position in repeats)


def places_in(range_: AppendedRange) -> Iterator[tuple[int, datetime]]:
    """Yield where the events of an append are that were stored now, and when each was recorded, in their order."""
    return ((offset, run.recorded_at) for run in range_.runs for offset in range(run.first_offset, run.last_offset + 1))


def encode_texts(texts: Sequence[str]) -> list[str]:
    """Return each text as a JSON string, by one call for all of them: batches come by the thousand."""
    lines = _encoder.encode_lines(texts).decode().split("\n")
    lines.pop()
    return lines
