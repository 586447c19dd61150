"""Envelopes: the ids that events are given, and bounds on how many are read."""

import tracemalloc
import uuid

import pytest

from accounts.conf import MAX_FAULTS
from accounts.errors import ExpectedObject, PayloadTooLarge, TooDeep
from streams.conf import MAX_REQUEST_EVENTS
from streams.envelope import decode_events, make_ids, make_records
from streams.errors import InvalidEvents


def test_new_ids_are_uuids_of_version_7_that_ascend_within_and_across_requests():
    ids = [each for count in [1, 500, 1, 2, 1000] * 20 for each in make_ids(count)]
    assert len(set(ids)) == len(ids) == 20 * 1504
    assert ids == sorted(ids)
    assert {(each.version, each.variant) for each in map(uuid.UUID, ids)} == {(7, uuid.RFC_4122)}
    assert all(str(uuid.UUID(each)) == each for each in ids)


def test_an_id_that_an_event_brings_stays_beside_new_ones():
    events, _ = decode_events(b'[{"payload":1},{"payload":2,"id":"mine"},{"payload":3}]', is_ndjson=False)
    records, ids, _ = make_records(events, is_single=False)
    assert ids[1] == "mine"
    assert [record.split(b'"')[3].decode() for record in records] == ids
    assert uuid.UUID(ids[0]) < uuid.UUID(ids[2])


# --- bounds ----------------------------------------------------------------------------------------------


def lines(unit: bytes, count: int) -> tuple[bytes, bool]:
    return b"\n".join([unit] * count), True


def array(unit: bytes, count: int) -> tuple[bytes, bool]:
    return b"[" + b",".join([unit] * count) + b"]", False


@pytest.mark.parametrize("unit", [b"0", b"{}", b'{"payload":1}', rb'{"pa\u0079load":1}'])
@pytest.mark.parametrize("form", [lines, array])
def test_events_are_counted_before_any_is_judged(form, unit):
    body, is_ndjson = form(unit, MAX_REQUEST_EVENTS + 1)
    with pytest.raises(PayloadTooLarge):
        decode_events(body, is_ndjson=is_ndjson)


@pytest.mark.parametrize("unit", [b"0,", b'{"payload":1},', b"0\n", b"\n"])
def test_a_body_of_far_too_many_events_takes_little_more_than_itself(unit):
    body = unit * (2_000_000 // len(unit))
    body = b"[" + body + b"0]" if unit.endswith(b",") else body
    tracemalloc.start()
    try:
        with pytest.raises((PayloadTooLarge, ExpectedObject)):
            decode_events(body, is_ndjson=not unit.endswith(b","))
        # Reading it as text takes its length once more.
        assert tracemalloc.get_traced_memory()[1] < 1.5 * len(body)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", [lines, array])
def test_as_many_events_as_a_request_may_have_are_taken(form):
    body, is_ndjson = form(b'{"payload":{"payload":"payload"}}', MAX_REQUEST_EVENTS)
    events, _ = decode_events(body, is_ndjson=is_ndjson)
    assert len(events) == MAX_REQUEST_EVENTS


@pytest.mark.parametrize("unit", [b"0", b'{"payload":1,"type":"!"}', b'{"payload":1,"key":""}'])
@pytest.mark.parametrize("form", [lines, array])
def test_a_hundred_faults_are_kept(form, unit):
    body, is_ndjson = form(unit, MAX_REQUEST_EVENTS)
    with pytest.raises(InvalidEvents) as caught:
        make_records(decode_events(body, is_ndjson=is_ndjson)[0], is_single=False)
    assert len(caught.value.faults) == MAX_FAULTS
    assert caught.value.detail.startswith(f"At least {MAX_FAULTS} of the events")


def test_a_payload_over_several_lines_and_too_deep_is_told_so():
    for depth in (65, 300, 900):
        body = b'{"payload":' + b"[\n" * depth + b"]" * depth + b"}"
        with pytest.raises(TooDeep):
            make_records(decode_events(body, is_ndjson=False)[0], is_single=True)
