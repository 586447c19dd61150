"""Records lie in batches as they were given, compressed, and never unpack to more than they should."""

import os

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streams.conf import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from streams.log.batches import CODEC_PLAIN, CODEC_ZSTD, MAX_UNPACKED_BYTES, pack, unpack
from streams.log.protocol import LogDamaged
from tests.streams.log.appending import event

_lines = st.lists(
    st.binary(max_size=200).map(lambda raw: b"{" + raw.replace(b"\n", b" ") + b"}"), min_size=1, max_size=50
)


@given(_lines)
def test_what_is_packed_unpacks_the_same(records):
    [batch] = pack(records)
    assert unpack(batch.codec, batch.records).split(b"\n") == records
    assert (batch.event_count, batch.record_bytes) == (len(records), sum(map(len, records)))


def test_records_are_cut_by_count_and_by_size_in_order():
    many = [event(str(number)) for number in range(MAX_BATCH_EVENTS + 1)]
    assert [batch.event_count for batch in pack(many)] == [MAX_BATCH_EVENTS, 1]
    large = [event(str(number), size=MAX_BATCH_BYTES // 3) for number in range(7)]
    batches = pack(large)
    assert [batch.event_count for batch in batches] == [2, 2, 2, 1]
    unpacked = [line for batch in batches for line in unpack(batch.codec, batch.records).split(b"\n")]
    assert unpacked == large


def test_an_event_larger_than_a_batch_is_alone_in_its_own():
    records = [event("a"), event("b", size=MAX_BATCH_BYTES * 2), event("c")]
    assert [batch.event_count for batch in pack(records)] == [1, 1, 1]


def test_nothing_packs_to_nothing():
    assert pack([]) == []


def test_what_compression_does_not_help_is_stored_plain():
    [batch] = pack([b'{"x":"' + os.urandom(40).hex().encode()[:8] + b'"}'])
    assert batch.codec == CODEC_PLAIN
    [batch] = pack([event("a", size=1000)])
    assert batch.codec == CODEC_ZSTD
    assert len(batch.records) < 200


@pytest.mark.parametrize(
    ("codec", "stored"),
    [
        (7, b"{}"),
        (CODEC_ZSTD, b""),
        (CODEC_ZSTD, b"not zstd"),
        (CODEC_ZSTD, zstandard.compress(b"{}" * 100)[:-3]),
        (CODEC_ZSTD, zstandard.compress(b"\0" * (MAX_UNPACKED_BYTES + 1))),
        # A frame that does not say how large it is: made by streaming.
        (CODEC_ZSTD, zstandard.ZstdCompressor(write_content_size=False).compress(b"{}")),
    ],
)
def test_what_was_not_packed_by_us_is_refused(codec, stored):
    with pytest.raises(LogDamaged):
        unpack(codec, stored)
