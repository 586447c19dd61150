"""The bytes of a stored event: what is found without decoding is what decoding finds, however awkward the event."""

import json
from datetime import UTC, datetime, timedelta
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from streams.envelope import Envelope, make_records
from streams.stored_event import (
    Count,
    ExportedEvent,
    NotAnEvent,
    Outline,
    count_by_minute_and_type,
    decode_event,
    decode_exported,
    erase_record,
    is_erased,
    mark_edited,
    outline_of,
    place_of,
    place_records,
    record_size,
    recorded_at_of,
    replace_payload,
    type_of,
)

AT = datetime(2026, 11, 22, 10, 0, 59, 123456, tzinfo=UTC)
# Everything that a finder of bytes could take for something else.
TRAPS = ['","type":"', '"recorded_at":"', "\\", '\\"', '"', "x", "ü", "\u2028", "😀", "\x00", "}", "{", '","payload":']

awkward = st.sampled_from(["".join(pair) for pair in product(TRAPS, repeat=2)])
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
envelopes = st.builds(
    Envelope,
    id=awkward.filter(str.isprintable) | st.just("plain"),
    type=st.sampled_from(["t", "order.created", "a:b/c+d-e_f", "0" * 128]),
    key=st.none() | awkward,
    occurred_at=st.none() | times,
    # A time that is no further ahead than it may be.
    deliver_after=st.none() | st.floats(0.001, 100) | times.filter(lambda each: each < AT),
    expires_after=st.none() | st.floats(101, 1_000_000) | st.just(3_600.0),
    headers=st.dictionaries(awkward, awkward, max_size=2),
    payload=(awkward | st.lists(awkward, max_size=2)).map(lambda each: msgspec.Raw(json.dumps(each).encode())),
)
PLACE = ("partition", "offset", "recorded_at")


def stored(*envelopes, first_offset=1, recorded_at=AT):
    records = make_records(envelopes, is_single=False).records
    return place_records(
        [record[1:] for record in records], partition=3, first_offset=first_offset, recorded_at=recorded_at
    ), list(records)


@given(envelope=envelopes, recorded_at=times, first_offset=st.integers(1, 2**63 - 1))
def test_what_is_found_in_the_bytes_is_what_decoding_finds(envelope, recorded_at, first_offset):
    ((event,), (record,)) = stored(envelope, first_offset=first_offset, recorded_at=recorded_at)
    decoded = decode_event(event)
    assert (decoded.partition, decoded.offset, decoded.recorded_at) == (3, first_offset, recorded_at)
    assert decoded.id == envelope.id
    assert decoded.payload_text.encode() == bytes(envelope.payload)
    assert (decoded.deliver_after or UNSET, decoded.expires_after or UNSET) == (
        envelope.deliver_after,
        envelope.expires_after,
    )

    assert place_of(event) == (3, first_offset)
    assert type_of(event) == decoded.type == envelope.type
    assert recorded_at_of(event) == recorded_at
    assert record_size(event) == len(record)
    minute = recorded_at.isoformat()[:16].encode()
    assert count_by_minute_and_type([event]) == {(minute, envelope.type.encode()): Count(1, len(record))}
    found = outline_of(event)
    assert (found.id, found.type, found.key) == (envelope.id, envelope.type, envelope.key)
    assert bytes(found.payload) == bytes(envelope.payload)


def test_records_get_their_places_in_order():
    events, records = stored(*(Envelope(payload=msgspec.Raw(b"%d" % number)) for number in range(3)), first_offset=8)
    assert [decode_event(event).offset for event in events] == [8, 9, 10]
    assert events[1] == b'{"partition":3,"offset":9,"recorded_at":"2026-11-22T10:00:59.123456Z",' + records[1][1:]


def test_events_are_counted_by_minute_and_type():
    events, records = stored(*(Envelope(type=name, payload=msgspec.Raw(b"1")) for name in ("a", "b", "a")))
    later, more = stored(Envelope(type="a", payload=msgspec.Raw(b"2")), recorded_at=AT + timedelta(seconds=1))
    sizes = [len(record) for record in records + more]
    assert count_by_minute_and_type(events + later) == {
        (b"2026-11-22T10:00", b"a"): Count(2, sizes[0] + sizes[2]),
        (b"2026-11-22T10:00", b"b"): Count(1, sizes[1]),
        (b"2026-11-22T10:01", b"a"): Count(1, sizes[3]),
    }


@given(envelope=envelopes)
def test_another_payload_leaves_every_other_byte_as_it_was(envelope):
    (event,), _ = stored(envelope)
    edited, before = replace_payload(event, b'{"n": 1.50}')
    assert before == bytes(envelope.payload)
    assert edited == event[: len(event) - len(before) - 1] + b'{"n": 1.50}}'


# Payloads and headers that end as much like an erased event as they can.
LOOKS_ERASED = '"payload":null,"erased":{"bytes":9,"at":"2026-11-22T10:00:00.000000Z"}'
lookalikes = st.sampled_from(
    [
        f"{{{LOOKS_ERASED}}}",
        f'{{"x":1,{LOOKS_ERASED}}}',
        f'[{{"x":1,{LOOKS_ERASED}}}]',
        json.dumps(f",{LOOKS_ERASED}}}"),
        json.dumps({f',{LOOKS_ERASED}}}"': {"at": "2026-11-22T10:00:00.000000Z"}}),
        '{"at":"2026-11-22T10:00:00.000000Z"}',
    ]
)


@given(envelope=envelopes, payload=lookalikes | st.none(), recorded_at=times)
def test_an_erased_event_has_its_envelope_and_size_and_nothing_else(envelope, payload, recorded_at):
    if payload is not None:
        envelope.payload = msgspec.Raw(payload.encode())
    ((event,), (record,)) = stored(envelope, recorded_at=recorded_at)
    assert not is_erased(event)
    assert record_size(event) == len(record)

    tail = erase_record(record, at=AT, size=len(record))
    (erased,) = place_records([tail[1:]], partition=3, first_offset=1, recorded_at=recorded_at)

    assert erased == erase_record(event, at=AT, size=record_size(event))
    assert is_erased(tail)
    assert is_erased(erased)
    was, now = decode_event(event), decode_event(erased)
    for name in (*PLACE, "id", "type", "key", "occurred_at", "deliver_after", "expires_after"):
        assert getattr(now, name) == getattr(was, name)
    assert (now.headers, now.payload_text) == ({}, "null")
    assert now.erased is not None
    assert (now.erased.at, now.erased.bytes) == (AT, len(record))
    # Bytes that were appended stay appended.
    minute = recorded_at.isoformat()[:16].encode()
    assert record_size(erased) == len(record)
    assert count_by_minute_and_type([erased]) == {(minute, envelope.type.encode()): Count(1, len(record))}


def test_what_was_erased_elsewhere_counts_as_it_came():
    _, (record,) = stored(Envelope(payload=msgspec.Raw(b"1")))
    record = erase_record(record, at=AT, size=None)
    (event,) = place_records([record[1:]], partition=3, first_offset=1, recorded_at=AT)
    assert is_erased(event)
    assert record_size(event) == len(record)
    erasure = decode_event(event).erased
    assert erasure is not None
    assert (erasure.at, erasure.bytes) == (AT, None)


def test_an_edit_is_erased_with_its_hash_and_is_not_told_of_afterwards():
    (event,), _ = stored(Envelope(payload=msgspec.Raw(b'"guessable"')))
    edited = mark_edited(replace_payload(event, b"1")[0], original=event, by="user:1", at=AT)
    assert b"original_payload_sha256" in edited
    erased = erase_record(edited, at=AT, size=record_size(edited))
    assert b"edited" not in erased
    assert mark_edited(erased, original=erased, by="user:1", at=AT) == erased


def test_an_exported_line_may_leave_out_what_is_empty():
    line = decode_exported(b'{"partition":1,"id":"a","type":"t","payload":[1, 2],"offset":9,"unknown":true}')
    assert (line.partition, line.key, line.headers, bytes(line.payload)) == (1, None, None, b"[1, 2]")
    assert isinstance(line, ExportedEvent)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"partition":1}', b'{"partition":"1","id":"a","type":"t","payload":1}']
)
def test_what_is_no_event_is_said_to_be_none(line):
    for decode in (decode_event, decode_exported):
        with pytest.raises(NotAnEvent):
            decode(line)


@pytest.mark.parametrize("line", [b"", b"{}", b'{"offset":1,"partition":0,', b'{"partition":-1,"offset":1,'])
def test_what_has_no_place_in_front_has_none(line):
    with pytest.raises(NotAnEvent):
        place_of(line)


def test_of_an_event_that_is_gone_there_is_an_empty_outline():
    nothing = Outline()
    assert (nothing.id, nothing.type, nothing.key, bytes(nothing.payload)) == ("", "", None, b"null")
