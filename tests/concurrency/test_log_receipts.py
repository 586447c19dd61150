"""However often and from wherever a request is retried, its events are stored once and its answer is the same."""

import json
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.errors import IdempotencyInProgress, IdempotencyKeyReused
from accounts.models import IdempotencyRecord
from streams.connections import connect
from streams.errors import PartitionGone
from streams.log.protocol import Appended, PartitionAppend, PartitionRef, Receipt
from tests.concurrency.test_log_outcomes import lock_held
from tests.run.instance import wait_for
from tests.streams.log.appending import event, process_environment, read_all
from tests.threads import Work, in_threads

# Two processes, so many retries in each.
RETRIES = 100


def receipt(key: str, request_hash: bytes = b"h" * 32) -> Receipt:
    return Receipt("user:1", key, request_hash, lambda ranges: b'{"offset":%d}' % ranges[0].first_offset)


def append(log, partition, name, key, request_hash=b"h" * 32):
    return log.append([PartitionAppend(partition, [event(name)])], receipt=receipt(key, request_hash))


def ids(log, partition):
    return [one["id"] for one in read_all(log, partition)]


RETRIER = """
import json, sys, threading
import django
django.setup()
from streams.log import close_log, get_log
from streams.log.protocol import PartitionRef
from tests.concurrency.test_log_receipts import RETRIES, append
from tests.threads import in_threads
partition = PartitionRef(*json.loads(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
results = in_threads([lambda: append(get_log(), partition, "once", "same")] * RETRIES)
print(json.dumps([[one.body.decode(), one.is_replay] for one in results]))
close_log()
"""


@pytest.mark.processes
def test_two_hundred_retries_at_once_from_two_processes_store_one(partition, postgres_log):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RETRIER, json.dumps(partition)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=process_environment(),
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [tuple(one) for process in processes for one in json.loads(process.communicate(timeout=60)[0])]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(answers) == 2 * RETRIES
    assert {body for body, _ in answers} == {'{"offset":1}'}
    assert sorted(is_replay for _, is_replay in answers) == [False] + [True] * (2 * RETRIES - 1)
    assert ids(postgres_log, partition) == ["once"]


def test_different_keys_in_one_commit_do_not_disturb_each_other(partition, postgres_log):
    calls = [lambda n=n: append(postgres_log, partition, f"n-{n}", f"key-{n % 20}") for n in range(60)]
    results = in_threads(calls)
    assert all(isinstance(result, Appended) for result in results), results
    assert len(ids(postgres_log, partition)) == 20
    for n in range(20):
        assert len({results[n + 20 * k].body for k in range(3)}) == 1
        assert [results[n + 20 * k].is_replay for k in range(3)].count(False) == 1


def test_a_reused_key_fails_only_its_own_request(partition, postgres_log):
    append(postgres_log, partition, "first", "used")
    calls = [
        lambda n=n: append(
            postgres_log, partition, f"n-{n}", "used" if n % 5 == 0 else f"key-{n}", b"other" * 6 + b"xx"
        )
        for n in range(20)
    ]
    results = in_threads(calls)
    assert [isinstance(result, IdempotencyKeyReused) for result in results] == [n % 5 == 0 for n in range(20)]
    assert len(ids(postgres_log, partition)) == 17


def test_a_key_that_another_transaction_is_using_is_in_progress_and_its_neighbours_are_stored(partition, postgres_log):
    now = timezone.now()
    statement = (
        "INSERT INTO accounts_idempotencyrecord (caller, key, request_hash, content_type, created_at, expires_at)"
        " VALUES ('user:1', 'busy', 'x', 'application/json', %s, %s)"
    )
    with lock_held(statement, now, now + timedelta(hours=1)):
        results = in_threads(
            [lambda n=n: append(postgres_log, partition, f"n-{n}", "busy" if n == 3 else f"key-{n}") for n in range(10)]
            + [lambda: postgres_log.append([PartitionAppend(partition, [event("without")])])]
        )
    assert [type(result) for result in results] == [IdempotencyInProgress if n == 3 else Appended for n in range(11)]
    assert "n-3" not in ids(postgres_log, partition)


def test_a_key_may_be_used_again_when_its_time_is_up(partition, postgres_log):
    append(postgres_log, partition, "a", "k")
    IdempotencyRecord.objects.update(
        created_at=timezone.now() - timedelta(days=2), expires_at=timezone.now() - timedelta(days=1)
    )
    again = append(postgres_log, partition, "b", "k", b"o" * 32)
    assert (again.is_replay, again.body) == (False, b'{"offset":2}')
    assert append(postgres_log, partition, "b", "k", b"o" * 32).is_replay


def test_receipt_and_events_are_committed_together_or_not_at_all(partition, postgres_log):
    """A reader of another session sees both or neither, at every moment."""
    stop = threading.Event()
    seen: list[tuple[int, int]] = []

    def watch():
        with connect("test") as other:
            while not stop.is_set():
                seen.extend(
                    other.execute(
                        "SELECT (SELECT head_offset FROM streams_partition WHERE id = %s),"
                        " (SELECT count(*) FROM accounts_idempotencyrecord)",
                        (partition.id,),
                    ).fetchall()
                )

    watcher = Work(watch)
    wait_for("the first look", lambda: seen)
    results = in_threads([lambda n=n: append(postgres_log, partition, f"n-{n}", f"key-{n}") for n in range(50)])
    assert {type(result) for result in results} == {Appended}
    count = 50
    # Until it has looked often enough in the midst of it, not only before and after.
    while len(set(seen)) <= 20 and count < 5_000:
        append(postgres_log, partition, f"n-{count}", f"key-{count}")
        count += 1
    stop.set()
    watcher.result()
    assert len(set(seen)) > 20
    assert [row for row in seen if row[0] != row[1]] == []
    assert IdempotencyRecord.objects.filter(status=202, body__isnull=False).count() == count


def test_processes_that_claim_the_same_keys_in_other_orders_do_not_wait_in_a_circle(
    make_partitions, make_log, postgres_log
):
    partitions = make_partitions(4)
    other = make_log()
    calls = []
    for n in range(120):
        log = postgres_log if n % 2 else other
        order = partitions if n % 3 else partitions[::-1]
        appends = [PartitionAppend(partition, [event(f"n-{n % 40}")]) for partition in order[:2]]
        calls.append(lambda log=log, appends=appends, n=n: log.append(appends, receipt=receipt(f"key-{n % 40}")))
    started = time.monotonic()
    results = in_threads(calls)
    assert time.monotonic() - started < 10
    assert all(isinstance(result, Appended) for result in results), [r for r in results if not isinstance(r, Appended)]
    assert sum(not result.is_replay for result in results) == 40


def test_a_lost_partition_stores_no_receipt_of_any_kind(partition, postgres_log):
    missing = PartitionRef(10**12, "nowhere", 0)
    calls = [lambda n=n: append(postgres_log, missing if n % 2 else partition, f"n-{n}", f"key-{n}") for n in range(10)]
    assert [type(result) for result in in_threads(calls)] == [Appended, PartitionGone] * 5
    assert set(IdempotencyRecord.objects.values_list("key", flat=True)) == {f"key-{n}" for n in range(0, 10, 2)}
