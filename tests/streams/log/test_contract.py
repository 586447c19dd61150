"""What every engine of the log promises."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from accounts.errors import IdempotencyKeyReused
from streams.conf import MAX_OFFSET
from streams.errors import PartitionGone, StreamRecreated
from streams.log.protocol import Capability, Gap, MergeLimits, PartitionAppend, PartitionRef, Receipt
from streams.times import format_time
from tests.streams.log.appending import span

MIB = 1024 * 1024
SOON = timedelta(hours=1)
ERASED_AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def event(name: object, size: int = 0) -> bytes:
    return json.dumps({"id": str(name), "payload": "x" * size}, separators=(",", ":")).encode()


def append(log, partition, *names):
    return log.append([PartitionAppend(partition, [event(name) for name in names])]).ranges[0]


def read(log, partition, after=0, max_events=1_000, max_bytes=8 * MIB):
    return log.read(partition, after=after, max_events=max_events, max_bytes=max_bytes)


def ids(result):
    return [json.loads(text)["id"] for text in result.events]


def receipt(key="k", caller="user:1", request_hash=b"h" * 32):
    return Receipt(
        caller, key, request_hash, lambda ranges: b"%d-%d" % (ranges[0].first_offset, ranges[-1].last_offset)
    )


@pytest.fixture
def log(any_log):
    return any_log


@pytest.fixture
def partition(any_partitions):
    return any_partitions()[0]


# --- append and read -----------------------------------------------------------------------------------


def test_offsets_start_at_one_and_have_no_gaps(log, partition):
    assert span(append(log, partition, "a")) == (1, 1)
    assert span(append(log, partition, "b", "c", "d")) == (2, 4)
    assert span(append(log, partition, "e")) == (5, 5)
    result = read(log, partition)
    assert ids(result) == ["a", "b", "c", "d", "e"]
    assert list(result.offsets) == [1, 2, 3, 4, 5]


def test_an_append_can_be_awaited_and_ends_as_one_that_blocks(log, partition):
    async def append_each(*names):
        appends = [[PartitionAppend(partition, [event(name)])] for name in names]
        return await asyncio.gather(*map(log.append_async, appends))

    stored = asyncio.run(append_each(*range(50)))

    assert sorted(each.ranges[0].first_offset for each in stored) == list(range(1, 51))
    assert ids(read(log, partition)) == [str(number) for number in range(50)]


def test_an_append_that_is_awaited_is_refused_as_one_that_blocks(log, partition):
    async def append_nothing():
        await log.append_async([PartitionAppend(partition, [])])

    async def append_to(partition):
        await log.append_async([PartitionAppend(partition, [event("a")])])

    with pytest.raises(ValueError, match="at least one event"):
        asyncio.run(append_nothing())
    with pytest.raises(PartitionGone):
        asyncio.run(append_to(PartitionRef(10**12, "gone", 0)))


def test_an_event_is_returned_as_it_was_sent_with_its_place_in_front(log, any_partitions):
    partition = any_partitions(3)[2]
    record = (
        b'{"id":"\xf0\x9f\x8d\x8b","payload":{"b":1e400,"a":12345678901234567890123,"a":"\\u0000","nested":[{"x": 1}]}}'
    )
    stored = log.append([PartitionAppend(partition, [record])]).ranges[0]
    [text] = read(log, partition).events
    assert text == b'{"partition":2,"offset":1,"recorded_at":"%b",%b' % (format_time(stored.recorded_at), record[1:])


def test_reading_goes_on_after_next_offset(log, partition):
    append(log, partition, *range(7))
    append(log, partition, *range(7, 10))
    seen, position = [], 0
    while len(seen) < 10:
        result = read(log, partition, after=position, max_events=3)
        assert 1 <= len(result.events) <= 3
        assert list(result.offsets) == list(range(position + 1, result.next_offset + 1))
        seen += ids(result)
        position = result.next_offset
    assert seen == [str(number) for number in range(10)]
    assert read(log, partition, after=10).events in ([], ())


def test_max_bytes_counts_the_json_that_is_returned(log, partition):
    append(log, partition, "a", "b")
    append(log, partition, "c")
    sizes = [len(text) for text in read(log, partition).events]
    for max_bytes, expected in (
        (sizes[0], 1),
        (sizes[0] + sizes[1] - 1, 1),
        (sizes[0] + sizes[1], 2),
        (sum(sizes) - 1, 2),
        (sum(sizes), 3),
    ):
        assert len(read(log, partition, max_bytes=max_bytes).events) == expected
    assert ids(read(log, partition, after=1, max_bytes=sizes[1] + sizes[2] - 1)) == ["b"]


@pytest.mark.parametrize("max_bytes", [0, 1, 50])
def test_one_event_comes_however_large_it_is(log, partition, max_bytes):
    append(log, partition, "a", "b")
    assert ids(read(log, partition, max_bytes=max_bytes)) == ["a"]
    assert ids(read(log, partition, after=1, max_bytes=max_bytes)) == ["b"]


def test_an_empty_partition_has_a_head_of_zero(log, partition):
    result = read(log, partition)
    assert (list(result.events), result.next_offset, result.gap) == ([], 0, None)
    assert result.bounds == (1, 0, None, 0)
    assert result.bounds.event_count == 0


@pytest.mark.parametrize("after", [5, 1_000_000, MAX_OFFSET])
def test_beyond_the_head_there_is_nothing_and_no_gap(log, partition, after):
    append(log, partition, "a", "b")
    result = read(log, partition, after=after)
    assert (list(result.events), result.next_offset, result.gap) == ([], after, None)
    assert result.bounds.head_offset == 2


def test_bounds_come_for_each_partition_that_exists(log, any_partitions):
    first, second = any_partitions(2)
    stored = append(log, second, "a", "b")
    missing = PartitionRef(10**12, "nowhere", 0)
    assert log.bounds([first, second, missing]) == {
        first.id: (1, 0, None, 0),
        second.id: (1, 2, stored.recorded_at, 0),
    }
    assert log.bounds([]) == {}


def test_many_large_events_come_back_in_order(log, partition):
    records = [event(number, size=40_000) for number in range(40)]
    log.append([PartitionAppend(partition, records)])
    log.append([PartitionAppend(partition, [event("huge", size=900_000)])])
    seen, position = [], 0
    while position < 41:
        result = read(log, partition, after=position, max_bytes=300_000)
        assert sum(map(len, result.events)) <= 300_000 or len(result.events) == 1
        seen += ids(result)
        position = result.next_offset
    assert seen == [*map(str, range(40)), "huge"]


def test_recorded_at_never_goes_back(log, partition):
    times = [append(log, partition, number).recorded_at for number in range(20)]
    assert times == sorted(times)
    assert abs(times[-1] - datetime.now(UTC)) < timedelta(minutes=5)


# --- several partitions ----------------------------------------------------------------------------------


def test_one_append_reaches_several_partitions(log, any_partitions):
    first, second = any_partitions(2)
    append(log, second, "before")
    appended = log.append(
        [
            PartitionAppend(second, [event("a"), event("b")]),
            PartitionAppend(first, [event("c")]),
            PartitionAppend(second, [event("d")]),
        ]
    )
    assert [(r.partition, r.first_offset, r.last_offset) for r in appended.ranges] == [
        (second, 2, 3),
        (first, 1, 1),
        (second, 4, 4),
    ]
    assert ids(read(log, first)) == ["c"]
    assert ids(read(log, second)) == ["before", "a", "b", "d"]


def test_an_append_that_names_a_missing_partition_stores_nothing_anywhere(log, any_partitions):
    [partition] = any_partitions(1)
    missing = PartitionRef(10**12, "nowhere", 0)
    with pytest.raises(PartitionGone):
        log.append([PartitionAppend(partition, [event("a")]), PartitionAppend(missing, [event("b")])])
    assert log.bounds([partition])[partition.id].head_offset == 0
    assert append(log, partition, "c").first_offset == 1


@pytest.mark.parametrize("records", [[], [b"5"], [b'{"a":\n1}'], [b'{"a":1}', b"[]"], [b'{"a":1}\n{"b":1}']])
def test_what_is_not_one_object_on_one_line_is_refused(log, partition, records):
    with pytest.raises(ValueError):
        log.append([PartitionAppend(partition, records)])
    assert log.bounds([partition])[partition.id].head_offset == 0


@pytest.mark.needs(Capability.PLACE_AMONG)
def test_what_was_placed_among_fewer_partitions_than_there_are_is_refused(log, any_partitions):
    first, second = any_partitions(2)

    def place(partition, name, *, among):
        return log.append([PartitionAppend(partition, [event(name)], placed_among=among)])

    place(first, "before", among=1)
    log.place_among([first, second], 2)
    for partition in (first, second):
        with pytest.raises(PartitionGone):
            place(partition, "too few", among=1)
    with pytest.raises(PartitionGone):
        log.append(
            [
                PartitionAppend(second, [event("x")], placed_among=2),
                PartitionAppend(first, [event("too few")], placed_among=1),
            ]
        )
    place(first, "after", among=2)
    append(log, first, "wherever the keys are")
    assert ids(read(log, first)) == ["before", "after", "wherever the keys are"]
    assert ids(read(log, second)) == []


def test_an_append_of_nothing_is_refused(log):
    with pytest.raises(ValueError):
        log.append([])


# --- receipts --------------------------------------------------------------------------------------------


@pytest.mark.needs(Capability.RECEIPT_IN_SAME_TRANSACTION)
def test_a_receipt_answers_a_retry_without_storing_again(log, partition):
    appends = [PartitionAppend(partition, [event("a"), event("b")])]
    first = log.append(appends, receipt=receipt())
    again = log.append(appends, receipt=receipt())
    assert (first.body, first.is_replay) == (b"1-2", False)
    assert (again.body, again.is_replay, list(again.ranges)) == (b"1-2", True, [])
    assert log.bounds([partition])[partition.id].head_offset == 2


@pytest.mark.needs(Capability.RECEIPT_IN_SAME_TRANSACTION)
def test_a_receipt_of_another_request_is_refused_and_nothing_stored(log, partition):
    log.append([PartitionAppend(partition, [event("a")])], receipt=receipt())
    with pytest.raises(IdempotencyKeyReused):
        log.append([PartitionAppend(partition, [event("b")])], receipt=receipt(request_hash=b"i" * 32))
    assert log.bounds([partition])[partition.id].head_offset == 1


@pytest.mark.needs(Capability.RECEIPT_IN_SAME_TRANSACTION)
def test_receipts_belong_to_their_caller(log, partition):
    log.append([PartitionAppend(partition, [event("a")])], receipt=receipt(caller="user:1"))
    other = log.append([PartitionAppend(partition, [event("b")])], receipt=receipt(caller="user:2"))
    assert (other.body, other.is_replay) == (b"2-2", False)


@pytest.mark.needs(Capability.RECEIPT_IN_SAME_TRANSACTION)
def test_a_receipt_of_a_stream_that_is_gone_is_no_answer_and_nothing_is_stored(log, any_partitions):
    kept, dropped = any_partitions(2)
    log.append([PartitionAppend(kept, [event("a")]), PartitionAppend(dropped, [event("b")])], receipt=receipt())
    log.drop([dropped])
    with pytest.raises(StreamRecreated):
        log.append([PartitionAppend(kept, [event("a")])], receipt=receipt())
    assert len(read(log, kept).events) == 1


@pytest.mark.needs(Capability.RECEIPT_IN_SAME_TRANSACTION)
def test_a_failed_append_keeps_no_receipt(log, partition):
    with pytest.raises(PartitionGone):
        log.append([PartitionAppend(PartitionRef(10**12, "nowhere", 0), [event("a")])], receipt=receipt())
    assert log.append([PartitionAppend(partition, [event("a")])], receipt=receipt()).body == b"1-1"


@pytest.mark.needs(Capability.RECEIPT_IN_SAME_TRANSACTION)
def test_an_answer_that_cannot_be_rendered_stores_nothing(log, partition):
    def render(ranges):
        raise KeyError("broken")

    with pytest.raises(KeyError):
        log.append([PartitionAppend(partition, [event("a")])], receipt=Receipt("user:1", "k", b"h" * 32, render))
    assert log.bounds([partition])[partition.id].head_offset == 0
    assert log.append([PartitionAppend(partition, [event("a")])], receipt=receipt()).body == b"1-1"


# --- time ------------------------------------------------------------------------------------------------


def test_offset_at_finds_the_first_event_recorded_at_or_after_a_moment(log, partition):
    stored = [append(log, partition, *range(count)) for count in (1, 3, 1, 2, 5, 1, 1)]
    for one in stored:
        first = next(other for other in stored if other.recorded_at >= one.recorded_at)
        assert log.offset_at(partition, one.recorded_at) == first.first_offset
        after = one.recorded_at + timedelta(microseconds=1)
        later = [other.first_offset for other in stored if other.recorded_at >= after]
        assert log.offset_at(partition, after) == (later[0] if later else 15)
    assert log.offset_at(partition, stored[0].recorded_at - SOON) == 1
    assert log.offset_at(partition, stored[-1].recorded_at + SOON) == 15


def test_offset_at_of_an_empty_partition_is_one(log, partition):
    assert log.offset_at(partition, datetime.now(UTC)) == 1


def test_offset_at_begins_at_the_earliest_kept(log, partition):
    moment = append(log, partition, "a", "b").recorded_at
    append(log, partition, "c")
    log.trim(partition, keep_events=1)
    assert log.offset_at(partition, moment - SOON) == 3


def test_recorded_after_tells_when_the_next_kept_event_came(log, any_partitions):
    first, second = any_partitions(2)
    times = [append(log, first, *names).recorded_at for names in ("ab", "c", "de")]
    [other] = [append(log, second, "x").recorded_at]
    missing = PartitionRef(10**12, "nowhere", 0)
    positions = [(first, 1), (second, 0), (first, 2), (missing, 0), (first, 5), (first, 99), (first, 0)]
    assert list(log.recorded_after(positions)) == [times[0], other, times[1], None, None, None, times[0]]
    assert list(log.recorded_after([])) == []
    log.trim(first, keep_events=2)
    assert list(log.recorded_after([(first, 0), (first, 4)])) == [times[2], times[2]]


# --- retention -------------------------------------------------------------------------------------------


@pytest.fixture
def trimmed(log, partition):
    """Batches of 2, 3 and 1 events; returns the partition and when each was recorded."""
    return partition, [append(log, partition, *names).recorded_at for names in ("ab", "cde", "f")]


@pytest.mark.needs(Capability.TRIM_IN_STEPS)
@pytest.mark.parametrize(("keep_events", "earliest"), [(6, 1), (5, 1), (4, 3), (3, 3), (2, 3), (1, 6), (0, 7)])
def test_trim_by_count_takes_whole_batches_and_keeps_at_least_so_many(log, trimmed, keep_events, earliest):
    partition, _ = trimmed
    assert log.trim(partition, keep_events=keep_events) == earliest - 1
    bounds = log.bounds([partition])[partition.id]
    assert bounds[:2] == (earliest, 6)
    assert log.trim(partition, keep_events=keep_events) == 0


@pytest.mark.parametrize("keep_events", range(7))
def test_trim_by_count_keeps_at_least_so_many_and_less_than_one_append_more(log, trimmed, keep_events):
    partition, _ = trimmed
    log.trim(partition, keep_events=keep_events)
    assert keep_events <= log.bounds([partition])[partition.id].event_count < keep_events + 3
    assert log.trim(partition, keep_events=keep_events) == 0


def test_trim_by_age_takes_only_what_is_older(log, trimmed):
    partition, times = trimmed
    assert log.trim(partition, recorded_before=times[0]) == 0
    assert log.trim(partition, recorded_before=times[2]) == (5 if times[1] < times[2] else 2)
    assert log.trim(partition, recorded_before=times[2] + SOON) == 1
    assert log.bounds([partition])[partition.id] == (7, 6, times[2], 0)


@pytest.mark.needs(Capability.TRIM_BY_BYTES, Capability.TRIM_IN_STEPS)
def test_trim_by_bytes_takes_only_what_leaves_enough(log, trimmed):
    partition, _ = trimmed
    assert log.trim(partition, keep_bytes=10 * MIB) == 0
    assert log.trim(partition, keep_bytes=1) == 5
    assert log.trim(partition, keep_bytes=0) == 1


def test_trim_without_a_limit_takes_nothing(log, trimmed):
    assert log.trim(trimmed[0]) == 0


@pytest.mark.needs(Capability.TRIM_IN_STEPS)
def test_trim_takes_no_more_batches_than_asked(log, trimmed):
    partition, _ = trimmed
    assert [log.trim(partition, keep_events=0, max_batches=1) for _ in range(4)] == [2, 3, 1, 0]


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"keep_events": 7},
        {"keep_events": 4},
        {"keep_events": 2},
        {"keep_events": 0},
        {"keep_bytes": 10 * MIB},
        {"keep_bytes": 1},
        {"keep_bytes": 0},
        {"age": 0},
        {"age": 2},
        {"age": 3},
        {"age": 2, "keep_events": 6},
        {"age": 0, "keep_events": 1, "keep_bytes": 10 * MIB},
        {"age": 0, "keep_events": 6, "keep_bytes": 1},
    ],
)
def test_what_trims_would_delete_is_told_before_and_nothing_is_deleted(log, trimmed, limits):
    if "keep_bytes" in limits and Capability.TRIM_BY_BYTES not in log.capabilities:
        pytest.skip("this engine trims by bytes as it can")
    partition, times = trimmed
    limits = dict(limits)
    if "age" in limits:
        limits["recorded_before"] = [*times, times[2] + SOON][limits.pop("age")]

    front = log.foresee_trim([partition], **limits)[partition.id]

    assert log.bounds([partition])[partition.id].earliest_offset == front.earliest_offset == 1
    while log.trim(partition, **limits):
        pass
    assert front.first_kept == log.bounds([partition])[partition.id].earliest_offset
    assert [front.kept_since] == log.recorded_after([(partition, front.first_kept - 1)])
    assert not front.is_cut
    # What is gone does not go again.
    again = log.foresee_trim([partition], **limits)[partition.id]
    assert again.earliest_offset == again.first_kept == front.first_kept


def test_what_trims_would_delete_is_told_of_each_partition_that_exists(log, any_partitions):
    first, second, empty = any_partitions(3)
    append(log, first, "a")
    append(log, first, "b", "c")
    append(log, second, "d")
    gone = PartitionRef(999_999, "gone", 0)

    fronts = log.foresee_trim([first, second, empty, gone], keep_events=1, recorded_before=None)

    assert {each.id for each in (first, second, empty)} == set(fronts)
    # The second of `first` came with the last one.
    assert [fronts[each.id].first_kept for each in (first, second, empty)] == [
        2 if Capability.TRIM_IN_STEPS in log.capabilities else 3,
        1,
        1,
    ]
    assert fronts[empty.id].kept_since is None
    assert log.foresee_trim([], keep_events=1) == {}


def test_a_reader_whom_retention_overtook_is_told_of_the_gap(log, trimmed):
    partition, _ = trimmed
    assert ids(read(log, partition)) == list("abcdef")
    log.trim(partition, keep_events=4)
    result = read(log, partition, after=0)
    assert (result.gap, ids(result)) == (Gap(1, 2), ["c", "d", "e", "f"])
    assert list(result.offsets) == [3, 4, 5, 6]
    result = read(log, partition, after=1)
    assert (result.gap, result.offsets[0]) == (Gap(2, 2), 3)
    assert read(log, partition, after=2).gap is None


@pytest.mark.parametrize("max_events", [1, 2, 3])
def test_a_reader_whom_retention_overtook_gets_what_is_kept_however_little_it_asks_for(log, trimmed, max_events):
    partition, _ = trimmed
    # What is read more than once may be kept by the reader's process, which does not see retention come by.
    for _ in range(2):
        assert ids(read(log, partition, after=0, max_events=max_events)) == list("abc")[:max_events]
    log.trim(partition, keep_events=4)
    result = read(log, partition, after=0, max_events=max_events)
    assert (result.gap, ids(result)) == (Gap(1, 2), list("cde")[:max_events])
    assert result.next_offset == 2 + max_events


def test_where_nothing_is_kept_the_reader_goes_on_at_the_head(log, trimmed):
    partition, _ = trimmed
    log.trim(partition, keep_events=0)
    result = read(log, partition, after=1)
    assert (list(result.events), result.gap, result.next_offset) == ([], Gap(2, 6), 6)
    assert append(log, partition, "g").first_offset == 7
    assert ids(read(log, partition, after=6)) == ["g"]


# --- merging ---------------------------------------------------------------------------------------------


def merge(log, partition, **limits):
    limits = MergeLimits(datetime.now(UTC) + SOON)._replace(**limits)
    while not log.merge(partition, limits).is_done:
        pass


@pytest.mark.needs(Capability.MERGE)
def test_merging_changes_nothing_that_is_read_and_no_time_that_is_told(log, partition):
    times = [append(log, partition, number).recorded_at for number in range(150)]
    before = read(log, partition)
    merge(log, partition)
    assert read(log, partition) == before
    assert read(log, partition, after=70, max_events=10).events == before.events[70:80]
    assert log.recorded_after([(partition, after) for after in range(150)]) == times
    assert [log.offset_at(partition, at) for at in times] == [times.index(at) + 1 for at in times]
    assert append(log, partition, "next").first_offset == 151
    # It was merged: one event alone does not go any more.
    assert log.trim(partition, keep_events=150) == 0


@pytest.mark.needs(Capability.MERGE)
def test_a_merged_batch_goes_when_its_newest_event_may(log, partition):
    times = [append(log, partition, number).recorded_at for number in range(150)]
    merge(log, partition)
    assert log.trim(partition, recorded_before=times[-1]) == 0
    assert log.trim(partition, recorded_before=times[-1] + SOON) == 150


@pytest.mark.needs(Capability.MERGE)
def test_merging_keeps_to_its_limits(log, partition):
    for number in range(200):
        append(log, partition, number)
    merge(log, partition, max_events=100, after=50)
    assert [log.trim(partition, keep_events=0, max_batches=1) for _ in range(51)] == [1] * 50 + [100]


@pytest.mark.needs(Capability.MERGE, Capability.ERASE)
def test_an_event_is_erased_in_a_merged_batch_as_in_any_other(log, partition):
    for number in range(100):
        append(log, partition, number)
    before = read(log, partition).events
    merge(log, partition)
    erased = log.erase(partition, 50, at=ERASED_AT)
    assert erased is not None
    assert read(log, partition).events == [*before[:49], erased.event, *before[50:]]


def test_a_partition_that_is_gone_has_nothing_to_merge(log):
    merge(log, PartitionRef(10**12, "gone", 0))


# --- erasure ---------------------------------------------------------------------------------------------


def payloads(result):
    return [json.loads(text)["payload"] for text in result.events]


@pytest.mark.needs(Capability.ERASE)
def test_an_erased_event_keeps_its_place_and_its_neighbours(log, partition):
    append(log, partition, "a", "b", "c")
    append(log, partition, "d")
    record = b'{"id":"e","type":"t","key":"k","occurred_at":null,"headers":{"h":"secret"},"payload":{"secret": 1}}'
    log.append([PartitionAppend(partition, [event("first"), record, event("last")])])
    before = read(log, partition)

    erased = log.erase(partition, 6, at=ERASED_AT)

    after = read(log, partition)
    assert (list(after.offsets), after.bounds) == (list(before.offsets), before.bounds)
    assert [text for text in after.events if text != after.events[5]] == [
        text for text in before.events if text != before.events[5]
    ]
    assert erased is not None
    assert erased.is_new
    assert after.events[5] == erased.event
    place = before.events[5].split(b',"headers"')[0]
    assert erased.event == (
        place + b',"headers":{},"payload":null,"erased":{"bytes":%d,"at":"2026-11-22T10:00:00.000000Z"}}' % len(record)
    )


@pytest.mark.needs(Capability.ERASE)
def test_erasing_again_changes_nothing(log, partition):
    append(log, partition, "a", "b")
    first = log.erase(partition, 2, at=ERASED_AT)
    again = log.erase(partition, 2, at=ERASED_AT + SOON)
    assert first is not None
    assert again is not None
    assert (first.is_new, again.is_new, again.event) == (True, False, first.event)


@pytest.mark.needs(Capability.ERASE)
def test_what_is_not_kept_cannot_be_erased(log, trimmed):
    partition, _ = trimmed
    log.trim(partition, keep_events=4)
    for offset in (1, 2, 7, MAX_OFFSET):
        assert log.erase(partition, offset, at=ERASED_AT) is None
    assert ids(read(log, partition)) == ["c", "d", "e", "f"]
    assert None not in payloads(read(log, partition))


@pytest.mark.needs(Capability.ERASE)
def test_what_is_appended_after_an_erasure_follows_it(log, partition):
    append(log, partition, "a")
    log.erase(partition, 1, at=ERASED_AT)
    assert append(log, partition, "b").first_offset == 2
    assert payloads(read(log, partition)) == [None, ""]
    assert log.trim(partition, keep_events=1) == 1
    assert ids(read(log, partition, after=1)) == ["b"]


@pytest.mark.needs(Capability.ERASE)
def test_nothing_can_be_erased_or_held_in_a_partition_that_is_gone(log):
    gone = PartitionRef(10**12, "gone", 0)
    with pytest.raises(PartitionGone):
        log.erase(gone, 1, at=ERASED_AT)
    log.hold([gone])


# --- the end ---------------------------------------------------------------------------------------------


def test_a_dropped_partition_is_gone_for_appends_and_reads(log, any_partitions):
    kept, dropped = any_partitions(2)
    append(log, kept, "a")
    append(log, dropped, "b")
    read(log, dropped)
    log.drop([dropped])
    with pytest.raises(PartitionGone):
        append(log, dropped, "c")
    with pytest.raises(PartitionGone):
        read(log, dropped)
    with pytest.raises(PartitionGone):
        log.offset_at(dropped, datetime.now(UTC))
    assert log.trim(dropped, keep_events=0) == 0
    assert list(log.bounds([kept, dropped])) == [kept.id]
    assert ids(read(log, kept)) == ["a"]


def test_health_says_whether_it_can_be_written(log):
    assert log.health().is_writable
