"""What an append is told is true, whatever happens to the server, the connection or the process meanwhile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import psycopg
import pytest
from django.db import connection, transaction

from streams.conf import MAX_PARTITIONS
from streams.connections import connect
from streams.errors import AppendNotStored, AppendOutcomeUnknown, PartitionGone
from streams.log import group_commit
from streams.log.protocol import Appended, PartitionAppend, PartitionRef
from tests.run.instance import wait_for
from tests.streams.log.appending import (
    REFUSED,
    STORED,
    UNKNOWN,
    Load,
    Outcomes,
    appending_here,
    appending_processes,
    check_log,
    event,
    read_all,
)
from tests.threads import Work, in_threads, outcomes_of, waits_for_a_lock


def append(log, partition, *names):
    return log.append([PartitionAppend(partition, [event(name) for name in names])])


def ids(log, partition):
    return [one["id"] for one in read_all(log, partition)]


@contextmanager
def lock_held(statement: str, *params: object) -> Iterator[None]:
    """Another transaction that keeps the lock that `statement` takes."""
    other = connect("test")
    try:
        with other.transaction():
            other.execute(statement, params)
            yield
    finally:
        other.close()


def terminate(name):
    """Kill the server's side of the connections of that name, as an administrator might."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = %s AND datname = current_database()",
            [name],
        )
        return len(cursor.fetchall())


# --- neighbours ------------------------------------------------------------------------------------------


def test_a_missing_partition_fails_only_the_requests_that_name_it(make_partitions, postgres_log):
    good, bad = make_partitions()[0], PartitionRef(10**12, "nowhere", 0)
    calls = []
    for number in range(40):
        if number % 4 == 0:
            wanted = [PartitionAppend(good, [event(f"bad-{number}")]), PartitionAppend(bad, [event("x")])]
        else:
            wanted = [PartitionAppend(good, [event(f"good-{number}")])]
        calls.append(lambda wanted=wanted: postgres_log.append(wanted))
    results = in_threads(calls)
    assert [type(result) for result in results] == [Appended if number % 4 else PartitionGone for number in range(40)]
    assert sorted(ids(postgres_log, good)) == sorted(f"good-{number}" for number in range(40) if number % 4)


def test_what_was_placed_among_too_few_fails_alone_also_where_others_append_to_the_same_partition(
    make_partitions, postgres_log
):
    first, second = make_partitions(2)
    postgres_log.place_among([first, second], 2)

    def wanted(number):
        among = (1, 2, MAX_PARTITIONS)[number % 3]
        return [PartitionAppend(first if number % 2 else second, [event(f"n-{number}")], placed_among=among)]

    # They share commits: an append that holds the partitions lets them all wait for the next one.
    with lock_held("SELECT 1 FROM streams_partition WHERE id = %s FOR UPDATE", first.id):
        works = [Work(partial(postgres_log.append, wanted(number))) for number in range(30)]
        time.sleep(0.1)
    results = outcomes_of(works)
    assert [type(result) for result in results] == [Appended if n % 3 else PartitionGone for n in range(30)]
    assert sorted(ids(postgres_log, first) + ids(postgres_log, second)) == sorted(f"n-{n}" for n in range(30) if n % 3)


def test_an_append_that_waits_for_partitions_to_be_added_is_refused_if_it_was_placed_before(
    make_partitions, postgres_log
):
    (partition,) = make_partitions()
    with transaction.atomic():
        postgres_log.place_among([partition], 2)
        works = [
            Work(partial(postgres_log.append, [PartitionAppend(partition, [event(name)], placed_among=among)]))
            for name, among in (("before", 1), ("after", 2))
        ]
        wait_for("them to wait", waits_for_a_lock)
    before, after = outcomes_of(works)
    assert (type(before), type(after)) == (PartitionGone, Appended)
    assert ids(postgres_log, partition) == ["after"]


def test_a_malformed_record_fails_only_its_own_request(partition, postgres_log):
    calls = [
        lambda number=number: postgres_log.append(
            [PartitionAppend(partition, [b'{"id":\n1}' if number % 4 == 0 else event(str(number))])]
        )
        for number in range(20)
    ]
    results = in_threads(calls)
    assert [isinstance(result, ValueError) for result in results] == [number % 4 == 0 for number in range(20)]
    assert [isinstance(result, Appended) for result in results] == [number % 4 != 0 for number in range(20)]
    assert len(ids(postgres_log, partition)) == 15


def test_a_partition_that_somebody_keeps_locked_fails_only_the_requests_that_name_it(make_partitions, postgres_log):
    locked, free = make_partitions(2)
    append(postgres_log, free, "first")
    with lock_held("SELECT 1 FROM streams_partition WHERE id = %s FOR UPDATE", locked.id):
        started = time.monotonic()
        results = in_threads(
            [lambda n=n: append(postgres_log, locked if n % 4 == 0 else free, f"n-{n}") for n in range(16)]
        )
        assert time.monotonic() - started < 5
    assert [type(result) for result in results] == [Appended if n % 4 else AppendNotStored for n in range(16)]
    assert ids(postgres_log, locked) == []
    assert len(ids(postgres_log, free)) == 13
    append(postgres_log, locked, "later")
    assert ids(postgres_log, locked) == ["later"]


# --- connections -----------------------------------------------------------------------------------------


def test_a_connection_that_died_while_idle_is_replaced_without_anybody_noticing(partition, postgres_log):
    append(postgres_log, partition, "a")
    assert terminate("eventflow-append") == 1
    time.sleep(0.2)
    append(postgres_log, partition, "b")
    assert ids(postgres_log, partition) == ["a", "b"]


def test_killing_the_append_connection_under_load_leaves_every_answer_true(make_partitions, postgres_log):
    partitions = make_partitions(3)
    killed = 0
    with appending_here(postgres_log, Load(partitions, threads=8)) as outcomes:
        for _ in range(30):
            time.sleep(0.05)
            killed += terminate("eventflow-append")
    counts = check_log(postgres_log, partitions, [outcomes])
    assert counts[STORED] > 20
    assert counts["unasked"] == 0
    # Not only between two appends: some were told that theirs had failed.
    assert killed >= 10
    assert counts[REFUSED] + counts[UNKNOWN] > 0
    append(postgres_log, partitions[0], "afterwards")


def test_cutting_the_network_under_load_leaves_every_answer_true(make_partitions, make_log, network, postgres_log):
    partitions = make_partitions(3)
    log = make_log()
    cut = 0
    with appending_here(log, Load(partitions, threads=8)) as outcomes:
        for _ in range(15):
            time.sleep(0.1)
            cut += network.cut()
    counts = check_log(postgres_log, partitions, [outcomes])
    assert counts[STORED] > 20
    assert counts["unasked"] == 0
    assert cut >= 10
    assert counts[REFUSED] + counts[UNKNOWN] > 0


def test_an_answer_that_is_lost_on_its_way_is_unknown_and_the_next_append_works(
    partition, make_log, network, postgres_log
):
    log = make_log()
    append(log, partition, "a")
    network.swallow_answers()
    lost = Work(lambda: append(log, partition, "b"))
    wait_for("its commit", lambda: ids(postgres_log, partition) == ["a", "b"])
    network.come_back()
    assert network.cut() >= 1
    assert isinstance(lost.outcome(), AppendOutcomeUnknown)
    append(log, partition, "c")
    assert ids(postgres_log, partition) == ["a", "b", "c"]


def test_without_a_server_appends_are_refused_within_three_seconds_and_work_again_at_once_when_it_is_back(
    partition, make_log, network, postgres_log
):
    log = make_log()
    append(log, partition, "a")
    network.go_down()
    time.sleep(0.1)
    started = time.monotonic()
    results = in_threads([lambda n=n: append(log, partition, f"lost-{n}") for n in range(20)])
    assert time.monotonic() - started < 3
    assert {type(result) for result in results} == {AppendNotStored}
    network.come_back()
    append(log, partition, "b")
    assert ids(postgres_log, partition) == ["a", "b"]


def test_a_server_that_does_not_accept_connections_is_given_up_within_three_seconds(
    partition, make_log, network, postgres_log
):
    log = make_log()
    network.freeze()
    started = time.monotonic()
    results = in_threads([lambda n=n: append(log, partition, f"lost-{n}") for n in range(10)])
    assert time.monotonic() - started < 3.2
    assert {type(result) for result in results} == {AppendNotStored}
    network.come_back()
    time.sleep(0.1)
    append(log, partition, "b")
    assert ids(postgres_log, partition) == ["b"]


def test_a_server_that_falls_silent_leaves_in_doubt_what_was_sent_and_stores_nothing_that_was_not(
    partition, make_log, network, postgres_log, monkeypatch
):
    monkeypatch.setattr(group_commit, "COMMIT_TIMEOUT_SECONDS", 2.0)
    monkeypatch.setattr(group_commit, "QUEUE_TIMEOUT_SECONDS", 0.5)
    log = make_log()
    append(log, partition, "a")
    flusher = log._committer._flusher
    wait_for("the end of that", lambda: flusher._in_flight is None)
    network.freeze()
    sent = Work(lambda: append(log, partition, "sent"))
    wait_for("it to be sent", lambda: flusher._in_flight is not None)
    queued = Work(lambda: append(log, partition, "queued"))
    assert isinstance(queued.outcome(), AppendNotStored)
    assert isinstance(sent.outcome(), AppendOutcomeUnknown)
    network.come_back()
    time.sleep(0.2)
    append(log, partition, "b")
    stored = ids(postgres_log, partition)
    assert stored in (["a", "b"], ["a", "sent", "b"])


def test_a_commit_that_the_server_would_not_keep_is_refused(partition, make_log, monkeypatch):
    options = connection.settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "options", options["options"].replace("commit=on", "commit=off"))
    log = make_log()
    with pytest.raises(AppendNotStored):
        append(log, partition, "a")


def test_a_server_that_became_a_read_only_standby_is_left_for_the_one_that_is_primary_now(partition, postgres_log):
    append(postgres_log, partition, "a")
    database = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        try:
            assert terminate("eventflow-append") == 1
            time.sleep(0.2)
            results = in_threads([lambda n=n: append(postgres_log, partition, f"lost-{n}") for n in range(5)])
        finally:
            cursor.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    assert {type(result) for result in results} == {AppendNotStored}
    append(postgres_log, partition, "b")
    assert ids(postgres_log, partition) == ["a", "b"]


# --- processes -------------------------------------------------------------------------------------------


@pytest.mark.processes
def test_kill_9_of_an_appending_process_leaves_every_answer_true(make_partitions, postgres_log):
    partitions = make_partitions(3)
    told: list[Outcomes] = []
    for round_ in range(3):
        loads = [Load(partitions, threads=4, prefix=f"p{round_}-{n}") for n in range(2)]
        with appending_processes(*loads) as processes:
            time.sleep(0.3)
            for process in processes:
                process.kill()
            told += [process.finish() for process in processes]
    counts = check_log(postgres_log, partitions, told)
    assert counts[STORED] > 20
    assert counts[REFUSED] == counts[UNKNOWN] == 0


def test_closing_finishes_what_was_accepted_and_refuses_what_comes_later(partition, make_log, postgres_log):
    log = make_log()
    with appending_here(log, Load([partition], threads=8)) as outcomes:
        time.sleep(0.3)
        log.close()
        time.sleep(0.1)
    counts = check_log(postgres_log, [partition], [outcomes])
    assert counts[STORED] > 0
    assert counts[REFUSED] > 0
    assert counts[UNKNOWN] == counts["unasked"] == 0


def test_the_statements_of_an_append_are_of_this_session_only(partition, postgres_log):
    """An append is one statement: nothing is left open in which a row could stay locked."""
    append(postgres_log, partition, "a")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state FROM pg_stat_activity"
            " WHERE application_name = 'eventflow-append' AND datname = current_database()"
        )
        assert cursor.fetchall() == [("idle",)]


def test_psycopg_reports_a_lost_connection_as_closed():
    """The outcome contract stands on it: see `GroupCommitter._after_failure`."""
    one, other = connect("test"), connect("test-killer")
    other.execute("SELECT pg_terminate_backend(%s)", (one.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        one.execute("SELECT 1")
    assert one.closed
    other.close()
