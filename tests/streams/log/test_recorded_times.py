"""Each event of a merged batch keeps the time at which it was recorded, to the microsecond."""

import struct
from datetime import UTC, datetime, timedelta

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streams.conf import MAX_BATCH_EVENTS
from streams.log.protocol import LogDamaged
from streams.log.recorded_times import BatchTimes, RecordedTimes, cut_head, unpack_times
from streams.times import count_microseconds, format_counted, format_time, moment_of

AT = datetime(2026, 11, 22, 10, 0, 0, 999_999, tzinfo=UTC)

_moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
_runs = st.lists(st.tuples(st.integers(1, 20), _moments), min_size=1, max_size=50).map(
    lambda runs: list(zip([count for count, _ in runs], sorted(at for _, at in runs), strict=True))
)


def times_of(runs):
    return RecordedTimes.of((count, count_microseconds(at)) for count, at in runs)


def unpack(head, times):
    return unpack_times(head, event_count=times.event_count, recorded_at=moment_of(times.moments[-1]))


@given(_runs)
def test_what_is_packed_says_the_same_of_every_event(runs):
    times = times_of(runs)
    read = unpack(times.pack() + b"records", times)
    expected = [at for count, at in runs for _ in range(count)]
    assert [moment_of(moment) for moment in read.of_each()] == expected
    assert [read.at(index) for index in range(len(expected))] == expected
    assert format_counted(read.of_each()) == [format_time(at) for at in expected]


@given(_runs, _moments)
def test_the_first_event_since_a_moment_is_found(runs, moment):
    expected = [at for count, at in runs for _ in range(count)]
    times = times_of(runs)
    for asked in (moment, *expected, expected[-1] + timedelta(microseconds=1)):
        before = [at for at in expected if at < asked]
        assert times.first_since(asked) == len(before)


def test_runs_of_equal_time_are_one():
    assert RecordedTimes.of([(2, 5), (3, 5), (1, 6)]) == ([5, 1], [5, 6])


def test_a_full_batch_of_single_events_takes_few_bytes_for_its_times():
    moments = [count_microseconds(AT) + number * 5_000 + number * number % 997 for number in range(MAX_BATCH_EVENTS)]
    assert len(RecordedTimes([1] * MAX_BATCH_EVENTS, moments).pack()) < 3 * MAX_BATCH_EVENTS


def test_the_worst_times_there_are_leave_room_for_a_frames_header_in_what_sql_fetches():
    # Seconds to centuries between neighbours, and no two alike.
    steps = [(number * 2_654_435_761) % 2**43 + 1 for number in range(MAX_BATCH_EVENTS)]
    moments = [sum(steps[: number + 1]) for number in range(MAX_BATCH_EVENTS)]
    counts = [number * 48_271 % 1_000 + 1 for number in range(MAX_BATCH_EVENTS)]
    assert len(RecordedTimes(counts, moments).pack()) < 12_000 - 18


def test_the_head_is_cut_from_what_follows():
    head = RecordedTimes([1, 1], [1, 2]).pack()
    assert cut_head(head + b"{}") == (head, b"{}")
    with pytest.raises(LogDamaged):
        cut_head(head)


def head(plain: bytes) -> bytes:
    packed = zstandard.compress(plain)
    return struct.pack("<H", len(packed)) + packed


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x01",
        b"\x05\x00abcde",
        RecordedTimes([1, 1], [1, 2]).pack()[:-1],
        head(b"\0" * 19),
        head(b""),
        head(b"\0" * 10_010),
        RecordedTimes([1, 2], [1, 2]).pack(),
        RecordedTimes([1, 1], [1, 3]).pack(),
    ],
)
def test_what_does_not_fit_its_row_is_refused(damaged):
    with pytest.raises(LogDamaged):
        unpack_times(damaged, event_count=2, recorded_at=moment_of(2))


def test_one_damaged_batch_does_not_keep_the_times_of_others_from_being_told():
    batch = BatchTimes(9, 2, AT, b"damaged")
    assert (batch.at(8), batch.first_since(AT)) == (AT, 8)
