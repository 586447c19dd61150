"""Ids that events are given: UUIDv7, each its own, in order."""

import uuid

from streams.envelope import decode_events, make_ids, make_records


def test_new_ids_are_uuids_of_version_7_that_ascend_within_and_across_requests():
    ids = [each for count in [1, 500, 1, 2, 1000] * 20 for each in make_ids(count)]
    assert len(set(ids)) == len(ids) == 20 * 1504
    assert ids == sorted(ids)
    assert {(each.version, each.variant) for each in map(uuid.UUID, ids)} == {(7, uuid.RFC_4122)}
    assert all(str(uuid.UUID(each)) == each for each in ids)


def test_an_id_that_an_event_brings_stays_beside_new_ones():
    events, _ = decode_events(b'[{"payload":1},{"payload":2,"id":"mine"},{"payload":3}]', is_ndjson=False)
    records, ids = make_records(events, is_single=False)
    assert ids[1] == "mine"
    assert [record.split(b'"')[3].decode() for record in records] == ids
    assert uuid.UUID(ids[0]) < uuid.UUID(ids[2])
