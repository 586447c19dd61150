"""Records that already stand on lines are what a list of them would be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.conf import MAX_BATCH_EVENTS
from streams.log.batches import pack
from streams.record_lines import RecordLines, size_of
from tests.streams.log.appending import event

_records = st.lists(
    st.binary(max_size=200).map(lambda raw: b"{" + raw.replace(b"\n", b" ") + b"}"), min_size=1, max_size=50
)


@given(_records)
def test_lines_count_read_and_pack_like_a_list_of_records(records):
    lines = RecordLines(b"\n".join(records))
    assert (len(lines), list(lines), lines[-1], lines[1:]) == (len(records), records, records[-1], records[1:])
    assert size_of(lines) == size_of(records)
    assert pack(lines) == pack(records)


def test_lines_beyond_the_caps_are_cut_like_a_list_of_records():
    records = [event(str(number)) for number in range(MAX_BATCH_EVENTS + 1)]
    assert pack(RecordLines(b"\n".join(records))) == pack(records)


@pytest.mark.parametrize("text", [b"", b"5", b"[]", b'{"a":1}\n', b'\n{"a":1}', b' {"a":1}'])
def test_what_cannot_be_lines_of_objects_is_refused(text):
    with pytest.raises(ValueError):
        RecordLines(text)
