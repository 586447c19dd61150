"""What engines promise of appends whose receipts are kept elsewhere: a later try sends only what the first did not."""

import asyncio
from dataclasses import replace

import pytest

from streams.errors import AppendNotStored, AppendOutcomeUnknown, LogUnavailable, NotOffered
from streams.log.protocol import Capability, PartitionAppend, Receipt
from tests.streams.log.appending import event, read_all, span

TAG = b"one request's tag"[:16]
OTHER = b"another request's"[:16]


@pytest.fixture
def log(any_log):
    if Capability.RECEIPT_IN_SAME_TRANSACTION in any_log.capabilities:
        pytest.skip("this engine keeps its receipts itself")
    return any_log


@pytest.fixture
def partitions(any_partitions):
    return any_partitions(2)


def appends(partitions):
    return [
        PartitionAppend(partitions[0], [event("a"), event("b")]),
        PartitionAppend(partitions[1], [event("c"), event("d")]),
    ]


def stored_ids(log, partition):
    return [one["id"] for one in read_all(log, partition)]


def heads(log, partitions):
    return {partition_id: ends.head_offset for partition_id, ends in log.bounds(partitions).items()}


def test_a_tagged_append_is_stored_as_any_other(log, partitions):
    log.append([PartitionAppend(partitions[1], [event("before")])])
    stored = log.append_tagged(appends(partitions), tag=TAG)
    assert [span(each) for each in stored.ranges] == [(1, 2), (2, 3)]
    assert [stored_ids(log, each) for each in partitions] == [["a", "b"], ["before", "c", "d"]]


def test_a_later_try_finds_all_of_the_first_and_sends_nothing(log, partitions):
    since = heads(log, partitions)
    first = log.append_tagged(appends(partitions), tag=TAG)
    log.append([PartitionAppend(partitions[0], [event("another's")])])
    again = asyncio.run(log.append_tagged_async(appends(partitions), tag=TAG, since=since))
    assert again == first
    assert stored_ids(log, partitions[0]) == ["a", "b", "another's"]


def test_what_another_request_has_stored_is_not_taken_for_it(log, partitions):
    since = heads(log, partitions)
    log.append_tagged(appends(partitions), tag=OTHER)
    stored = log.append_tagged(appends(partitions), tag=TAG, since=since)
    assert [span(each) for each in stored.ranges] == [(3, 4), (3, 4)]


@pytest.mark.parametrize("count", range(4))
def test_of_a_try_that_failed_half_way_the_rest_is_sent(log, partitions, count):
    if not hasattr(log, "weather"):
        pytest.skip("this engine does not fail at a given event")
    since = heads(log, partitions)
    log.weather.stored_before_it_failed = count
    with pytest.raises(AppendOutcomeUnknown):
        log.append_tagged(appends(partitions), tag=TAG)
    log.weather.stored_before_it_failed = None
    log.append([PartitionAppend(each, [event("another's")]) for each in partitions])

    stored = log.append_tagged(appends(partitions), tag=TAG, since=since)

    assert sorted(stored_ids(log, partitions[0])) == ["a", "another's", "b"]
    assert sorted(stored_ids(log, partitions[1])) == ["another's", "c", "d"]
    for partition, range_, names in zip(partitions, stored.ranges, ("ab", "cd"), strict=True):
        at = {one["id"]: one["offset"] for one in read_all(log, partition)}
        offsets = [offset for run in range_.runs for offset in range(run.first_offset, run.last_offset + 1)]
        assert offsets == [at[name] for name in names]


def test_where_a_part_is_there_a_refusal_of_the_rest_leaves_the_outcome_unknown(log, partitions):
    if not hasattr(log, "weather"):
        pytest.skip("this engine does not refuse on request")
    since = heads(log, partitions)
    log.weather.refuses = True
    with pytest.raises(AppendNotStored):
        log.append_tagged(appends(partitions), tag=TAG, since=since)
    log.weather = replace(log.weather, refuses=False, stored_before_it_failed=1)
    with pytest.raises(AppendOutcomeUnknown):
        log.append_tagged(appends(partitions), tag=TAG)
    log.weather = replace(log.weather, refuses=True, stored_before_it_failed=None)
    with pytest.raises(AppendOutcomeUnknown):
        log.append_tagged(appends(partitions), tag=TAG, since=since)


def test_what_the_engine_does_not_promise_it_refuses(log, partitions):
    receipt = Receipt("user:1", "k", b"h" * 32, lambda ranges: b"{}")
    with pytest.raises(NotOffered):
        log.append([PartitionAppend(partitions[0], [event("a")])], receipt=receipt)
    with pytest.raises(NotOffered):
        log.append([PartitionAppend(partitions[0], [event("a")], expected_head=0)])
    assert stored_ids(log, partitions[0]) == []


def test_an_engine_that_is_away_says_so_and_stores_nothing(log, partitions):
    if not hasattr(log, "weather"):
        pytest.skip("this engine does not go away on request")
    log.weather.is_away = True
    for ask in (
        lambda: log.append(appends(partitions)),
        lambda: log.append_tagged(appends(partitions), tag=TAG),
        lambda: log.read(partitions[0], after=0, max_events=1, max_bytes=1),
        lambda: log.bounds(partitions),
    ):
        with pytest.raises(LogUnavailable):
            ask()
    assert not log.health().is_writable
    log.weather.is_away = False
    assert stored_ids(log, partitions[0]) == []
