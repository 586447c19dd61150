"""An erasure in PostgreSQL: every process's cache learns of it, counters stay true, and one that failed never was."""

import json
import secrets
from datetime import UTC, datetime

import pytest
from django.db import transaction

from streams.log.protocol import LogDamaged, PartitionAppend
from streams.models import EventBatch, Partition
from tests.concurrency.test_log_retention import check_counters
from tests.streams.log.appending import event
from tests.threads import Work

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def append(log, partition, *names, size=0):
    log.append([PartitionAppend(partition, [event(name, size) for name in names])])


def payloads(log, partition, **options):
    limits = {"after": 0, "max_events": 1_000, "max_bytes": 1 << 20} | options
    return [json.loads(text)["payload"] for text in log.read(partition, **limits).events]


def test_no_other_process_goes_on_giving_out_what_it_remembers(partition, make_log, django_assert_num_queries):
    here, there, cold = make_log(), make_log(), make_log(cache_bytes=0)
    append(here, partition, "a", "b", size=3)
    append(here, partition, "c", size=3)
    for log in (here, there, cold):
        assert payloads(log, partition) == ["xxx"] * 3
    with django_assert_num_queries(1):
        # Both batches are remembered: only the ends are asked for.
        assert payloads(there, partition) == ["xxx"] * 3

    here.erase(partition, 1, at=AT)

    for log in (there, here, cold):
        assert payloads(log, partition) == [None, "xxx", "xxx"]
        assert payloads(log, partition, after=1) == ["xxx", "xxx"]
    here.erase(partition, 3, at=AT)
    for log in (cold, there, here):
        assert payloads(log, partition, after=2) == [None]
        assert payloads(log, partition) == [None, "xxx", None]
    with django_assert_num_queries(1):
        assert payloads(there, partition) == [None, "xxx", None]


def test_a_read_that_is_full_from_memory_learns_of_it_too(partition, make_log):
    here, there = make_log(), make_log()
    append(here, partition, "a", "b")
    assert payloads(there, partition) == ["", ""]
    here.erase(partition, 1, at=AT)
    assert payloads(there, partition, max_events=1) == [None]


def test_what_a_transaction_saw_that_was_rolled_back_is_given_to_nobody(partition, make_log):
    here, there = make_log(), make_log()
    append(here, partition, "a", "b")

    def erase_and_fail():
        with transaction.atomic():
            here.erase(partition, 1, at=AT)
            # Now its own cache has learnt what was never committed.
            seen = payloads(here, partition)
            transaction.set_rollback(True)
        return seen

    assert Work(erase_and_fail).result() == [None, ""]
    assert payloads(here, partition) == ["", ""]
    assert Work(erase_and_fail).result() == [None, ""]
    # Were the mark a count, this one would get the same as the two that failed.
    there.erase(partition, 2, at=AT)
    assert payloads(here, partition) == ["", None]


def test_the_counters_stay_true_whatever_the_batch_becomes(partition, make_log):
    log = make_log()
    append(log, partition, "tiny")
    # What cannot be compressed.
    log.append([PartitionAppend(partition, [b'{"id":"large","payload":"%b"}' % secrets.token_hex(150_000).encode()])])
    append(log, partition, *(str(number) for number in range(500)))
    appended = Partition.objects.get(pk=partition.id).appended_bytes
    sizes = dict(EventBatch.objects.filter(partition_id=partition.id).values_list("last_offset", "records"))

    for offset in (1, 2, 3, 250, 502):
        log.erase(partition, offset, at=AT)

    check_counters(partition)
    after = Partition.objects.get(pk=partition.id)
    assert after.appended_bytes == appended
    rows = dict(EventBatch.objects.filter(partition_id=partition.id).values_list("last_offset", "records"))
    # One that was tiny takes more now.
    assert len(bytes(rows[1])) > len(bytes(sizes[1]))
    assert len(bytes(rows[2])) < 200 < 100_000 < len(bytes(sizes[2]))
    assert payloads(log, partition, max_bytes=1 << 22).count(None) == 5


def test_a_damaged_batch_is_not_rewritten(partition, make_log):
    log = make_log()
    append(log, partition, "a", "b")
    EventBatch.objects.filter(partition_id=partition.id).update(event_count=1)
    with pytest.raises(LogDamaged):
        log.erase(partition, 2, at=AT)
    assert Partition.objects.get(pk=partition.id).erasure_mark == 0
