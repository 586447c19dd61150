"""Holding the payloads of an append to the schemas of their types: refused, or stored with a mark."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from accounts.conf import MAX_FAULTS
from streams.envelope import Envelope
from streams.errors import EventFault, InvalidPayloads
from streams.lookup import StreamInfo
from streams.metrics import count_invalid_payloads
from streams.models import Validation
from streams.schema_lookup import Validators, find_validators, find_validators_async
from streams.schemas.validator import Validator
from streams.services.schema_uses import note_invalid
from streams.stored_event import mark_invalid

# So many payloads are looked at together: if one of them does not fit, each of them is looked at once more.
_AT_ONCE: Final = 100


async def validators_for(streams: Collection[StreamInfo]) -> Mapping[int, Validators]:
    """Return the schemas of those streams whose payloads are held to any, by the streams' ids."""
    return {
        stream.id: found
        for stream in {stream.id: stream for stream in streams}.values()
        if stream.validation != Validation.OFF and (found := await find_validators_async(stream.id))
    }


def validate(
    events: Sequence[Envelope],
    records: Sequence[bytes],
    streams: StreamInfo | Sequence[StreamInfo],
    validators: Mapping[int, Validators],
    *,
    is_single: bool,
) -> Sequence[bytes]:
    """Return the records as they are to be stored: those whose payload is not as it should be, with a mark.

    Raises:
        InvalidPayloads: and some of them may not be stored at all.
    """
    faults: list[EventFault] = []
    marked: dict[int, bytes] = {}
    for index, validator in sorted(_find_misfits(events, streams, validators)):
        stream = streams if isinstance(streams, StreamInfo) else streams[index]
        payload = bytes(events[index].payload)
        if stream.validation == Validation.ENFORCE:
            pointer = "/payload" if is_single else f"/{index}/payload"
            faults += validator.find_faults(payload, pointer=pointer, limit=MAX_FAULTS - len(faults))
            note_invalid(validator.schema_id, is_refused=True)
            if len(faults) >= MAX_FAULTS:
                break
        else:
            marked[index] = mark_invalid(records[index], version=validator.version)
            note_invalid(validator.schema_id, is_refused=False)
    if faults:
        count_invalid_payloads("refused", len({fault.pointer.split("/")[1] for fault in faults}))
        raise InvalidPayloads(faults)
    if not marked:
        return records
    count_invalid_payloads("marked", len(marked))
    return [marked.get(index, record) for index, record in enumerate(records)]


def _find_misfits(
    events: Sequence[Envelope],
    streams: StreamInfo | Sequence[StreamInfo],
    validators: Mapping[int, Validators],
) -> Iterator[tuple[int, Validator]]:
    """The events whose payload is not as it should be, by their place in the request, and what they were held to."""
    for validator, indexes in _held_to(events, streams, validators):
        for start in range(0, len(indexes), _AT_ONCE):
            some = indexes[start : start + _AT_ONCE]
            if len(some) > 1 and validator.surely_accepts_all([events[index].payload for index in some]):
                continue
            for index in some:
                if not validator.accepts(bytes(events[index].payload)):
                    yield index, validator


def _held_to(
    events: Sequence[Envelope],
    streams: StreamInfo | Sequence[StreamInfo],
    validators: Mapping[int, Validators],
) -> Iterator[tuple[Validator, Sequence[int]]]:
    """Each schema that payloads of the request are held to, and which: their places."""
    if isinstance(streams, StreamInfo):
        of_type: dict[str, list[int]] = defaultdict(list)
        for index, event in enumerate(events):
            of_type[event.type].append(index)
        of_stream = validators.get(streams.id, {})
        return ((of_stream[type_], indexes) for type_, indexes in of_type.items() if type_ in of_stream)
    held_to: dict[Validator, list[int]] = defaultdict(list)
    for index, (event, stream) in enumerate(zip(events, streams, strict=True)):
        validator = validators.get(stream.id, {}).get(event.type)
        if validator is not None:
            held_to[validator].append(index)
    return iter(held_to.items())


def check_payload(stream: StreamInfo, type_: str, payload: bytes) -> int | None:
    """Hold one payload to its schema; return the version that it is to be marked as not fitting, if any.

    Raises:
        InvalidPayloads: it may not be sent.
    """
    validator = find_validators(stream.id).get(type_) if stream.validation != Validation.OFF else None
    if validator is None or validator.accepts(payload):
        return None
    if stream.validation == Validation.ENFORCE:
        raise InvalidPayloads(validator.find_faults(payload, pointer="/payload", limit=MAX_FAULTS))
    return validator.version
