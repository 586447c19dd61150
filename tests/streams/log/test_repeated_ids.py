"""What every engine promises of appends that bring ids: none is stored twice within the window of its stream."""

from datetime import timedelta
from hashlib import md5

import pytest
from django.utils import timezone

from streams.errors import HeadMoved
from streams.log.memory import MemoryLog
from streams.log.protocol import Capability, Deduplication, PartitionAppend, Receipt
from streams.models import Partition, RememberedId
from tests.streams.log.appending import event, read_all, span

DAY = 86_400

pytestmark = pytest.mark.needs(Capability.DEDUPLICATION, Capability.EXPECTED_HEAD)


@pytest.fixture
def log(any_log):
    return any_log


@pytest.fixture
def partitions(any_partitions):
    return any_partitions(2)


@pytest.fixture
def once(log):
    """Builder of an append whose events are stored once."""

    def build(partition, *names, window=DAY, expected_head=None):
        # The engine in memory knows no streams: what a partition belongs to is for the caller to say.
        is_in_memory = isinstance(log, MemoryLog)
        stream_id = hash(partition.stream) if is_in_memory else Partition.objects.get(pk=partition.id).stream_id
        digests = [md5(name.encode(), usedforsecurity=False).digest() for name in names]
        ids = Deduplication(stream_id, window, digests)
        return PartitionAppend(partition, [event(name) for name in names], ids, expected_head)

    return build


def stored_ids(log, partition):
    return [one["id"] for one in read_all(log, partition)]


def places(range_):
    return {position: (first.partition_number, first.offset) for position, first in range_.repeats.items()}


def test_an_id_that_was_stored_is_answered_with_where_it_is(log, partitions, once):
    first = log.append([once(partitions[0], "a")]).ranges[0]
    again = log.append([once(partitions[0], "a")]).ranges[0]
    assert first.repeats == {}
    assert (again.last_offset, places(again)) == (again.first_offset - 1, {0: (0, 1)})
    assert again.repeats[0].recorded_at == again.recorded_at == first.recorded_at
    assert stored_ids(log, partitions[0]) == ["a"]


def test_of_a_mixed_batch_only_what_is_new_is_stored_in_order_without_holes(log, partitions, once):
    log.append([once(partitions[0], "a", "b")])
    mixed = log.append([once(partitions[0], "x", "b", "y", "a", "z")]).ranges[0]
    assert span(mixed) == (3, 5)
    assert places(mixed) == {1: (0, 2), 3: (0, 1)}
    assert stored_ids(log, partitions[0]) == ["a", "b", "x", "y", "z"]


def test_an_id_twice_in_one_batch_is_stored_where_it_comes_first(log, partitions, once):
    twice = log.append([once(partitions[0], "a", "b", "a", "c", "b")]).ranges[0]
    assert (span(twice), places(twice)) == ((1, 3), {2: (0, 1), 4: (0, 2)})
    assert stored_ids(log, partitions[0]) == ["a", "b", "c"]


def test_an_id_counts_in_all_partitions_of_its_stream(log, partitions, once):
    log.append([once(partitions[0], "a")])
    elsewhere = log.append([once(partitions[1], "b", "a")]).ranges[0]
    assert (span(elsewhere), places(elsewhere)) == ((1, 1), {1: (0, 1)})
    both = log.append([once(partitions[0], "c"), once(partitions[1], "c", "d")]).ranges
    assert [span(each) for each in both] == [(2, 2), (2, 2)]
    assert places(both[1]) == {0: (0, 2)}


def test_another_stream_may_have_the_same_id(log, any_partitions, partitions, once):
    other = any_partitions(1)[0]
    log.append([once(partitions[0], "a")])
    assert log.append([once(other, "a")]).ranges[0].repeats == {}
    assert stored_ids(log, other) == ["a"]


def test_beyond_the_window_an_id_is_stored_anew_and_counts_from_then_on(log, partitions, passing, once):
    log.append([once(partitions[0], "a", window=60)])
    passing(seconds=61)
    assert span(log.append([once(partitions[0], "a", window=60)]).ranges[0]) == (2, 2)
    assert places(log.append([once(partitions[0], "a", window=60)]).ranges[0]) == {0: (0, 2)}
    assert stored_ids(log, partitions[0]) == ["a", "a"]


def test_without_ids_everything_is_stored_and_nothing_remembered(log, partitions, once):
    log.append([PartitionAppend(partitions[0], [event("a"), event("a")])])
    assert log.append([once(partitions[0], "a")]).ranges[0].repeats == {}
    assert stored_ids(log, partitions[0]) == ["a", "a", "a"]


def test_a_request_with_a_receipt_remembers_ids_and_is_told_of_repeats(log, partitions, once):
    def render(ranges):
        return b"%d stored, %d repeated" % (
            ranges[0].last_offset - ranges[0].first_offset + 1,
            len(ranges[0].repeats),
        )

    log.append([once(partitions[0], "a")])
    receipt = Receipt("user:1", "key", b"h" * 32, render)
    first = log.append([once(partitions[0], "a", "b")], receipt=receipt)
    again = log.append([once(partitions[0], "a", "b")], receipt=receipt)
    assert (first.body, again.body, again.is_replay) == (b"1 stored, 1 repeated", b"1 stored, 1 repeated", True)
    only_repeats = log.append([once(partitions[0], "b")], receipt=Receipt("user:1", "other", b"h" * 32, render))
    assert only_repeats.body == b"0 stored, 1 repeated"


# --- a head that is expected ---


def expecting(partition, head, *names):
    return PartitionAppend(partition, [event(name) for name in names], None, head)


def test_events_are_stored_behind_the_head_that_is_expected(log, partitions):
    assert span(log.append([expecting(partitions[0], 0, "a", "b")]).ranges[0]) == (1, 2)
    assert span(log.append([expecting(partitions[0], 2, "c")]).ranges[0]) == (3, 3)


@pytest.mark.parametrize("expected", [0, 1, 3, 2**63 - 1])
def test_at_another_head_nothing_is_stored_and_the_head_is_told(log, partitions, expected):
    log.append([expecting(partitions[0], 0, "a", "b")])
    with pytest.raises(HeadMoved) as refusal:
        log.append([expecting(partitions[0], expected, "c")])
    assert refusal.value.head == 2
    assert stored_ids(log, partitions[0]) == ["a", "b"]


def test_a_refused_request_frees_the_key_of_its_receipt(log, partitions):
    def receipt():
        return Receipt("user:1", "key", b"h" * 32, lambda ranges: b"%d" % ranges[0].first_offset)

    log.append([expecting(partitions[0], 0, "a")])
    with pytest.raises(HeadMoved):
        log.append([expecting(partitions[0], 0, "b")], receipt=receipt())
    assert log.append([expecting(partitions[0], 1, "b")], receipt=receipt()).body == b"2"
    replayed = log.append([expecting(partitions[0], 1, "b")], receipt=receipt())
    assert (replayed.body, replayed.is_replay) == (b"2", True)


def test_a_retry_of_ids_that_were_stored_does_not_ask_for_the_head(log, partitions, once):
    log.append([once(partitions[0], "a", expected_head=0)])
    assert places(log.append([once(partitions[0], "a", expected_head=0)]).ranges[0]) == {0: (0, 1)}
    with pytest.raises(HeadMoved):
        log.append([once(partitions[0], "a", "b", expected_head=0)])


@pytest.fixture
def passing(log, any_partitions):
    """Let time pass for the ids that were stored."""

    def let_pass(*, seconds):
        earlier = timezone.now() - timedelta(seconds=seconds)
        if isinstance(log, MemoryLog):
            log._ids = {
                key: met._replace(event=met.event._replace(recorded_at=earlier)) for key, met in log._ids.items()
            }
        else:
            RememberedId.objects.update(recorded_at=earlier)

    return let_pass
