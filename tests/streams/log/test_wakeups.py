"""A reader that waits is woken by an append in any process, soon, and holds no connection meanwhile."""

import asyncio
import threading
import time

import pytest
from django.db import connection

from streams.conf import HEAD_CHECK_INTERVAL_SECONDS
from streams.connections import connect
from streams.log import wakeup
from streams.log.protocol import PartitionAppend
from streams.log.statements import statements
from streams.log.wakeup import Wakeups, partition_ids, payloads
from tests.streams.log.appending import STORED, Load, appending_processes, event
from tests.threads import SECONDS, crowd, outcomes_of

# A lost hint costs at most one look at the heads; the rest is for a busy machine.
HINTLESS = HEAD_CHECK_INTERVAL_SECONDS + 2.0


@pytest.fixture
def wakeups(db_with_commits):
    """Waking as in a process of its own: what happens in this one reaches it through NOTIFY only."""
    wakeups = Wakeups()
    yield wakeups
    wakeups.close()


def append(log, partition):
    log.append([PartitionAppend(partition, [event("a")])])


def wait_until_listening(wakeups):
    deadline = time.monotonic() + 10
    while not wakeups.is_listening:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_append_wakes_a_reader_of_the_same_process(partition, postgres_log):
    with wakeup.get_wakeups().watch([partition.id]) as watch:
        watch.saw(partition.id, 0)
        assert not watch.wait(0.05)
        append(postgres_log, partition)
        assert watch.wait(5)
        watch.saw(partition.id, 1)
        assert not watch.wait(0.05)


def test_an_append_between_the_read_and_the_wait_is_not_missed(partition, postgres_log):
    with wakeup.get_wakeups().watch([partition.id]) as watch:
        watch.saw(partition.id, 0)
        append(postgres_log, partition)
        assert watch.wait(5)


def test_a_reader_is_not_woken_by_other_partitions(make_partitions, postgres_log):
    mine, other = make_partitions(2)
    with wakeup.get_wakeups().watch([mine.id]) as watch:
        watch.saw(mine.id, 0)
        append(postgres_log, other)
        assert not watch.wait(HEAD_CHECK_INTERVAL_SECONDS * 1.5)


def test_a_reader_of_several_partitions_is_woken_by_any(make_partitions, postgres_log):
    partitions = make_partitions(3)
    with wakeup.get_wakeups().watch([partition.id for partition in partitions]) as watch:
        for partition in partitions:
            watch.saw(partition.id, 0)
        append(postgres_log, partitions[2])
        assert watch.wait(5)


@pytest.mark.processes
def test_an_append_in_another_process_wakes_through_notify(partition, wakeups):
    with wakeups.watch([partition.id]):
        wait_until_listening(wakeups)
    with appending_processes(Load([partition], threads=1, prefix="p")) as [process]:
        for _ in range(20):
            with wakeups.watch([partition.id]) as watch:
                # As if everything had been seen: so only NOTIFY can wake it.
                watch.saw(partition.id, 10**12)
                assert watch.wait(10)
        assert process.finish().count(STORED) >= 20


def test_a_lost_notification_costs_no_more_than_a_look_at_the_heads(partition, postgres_log, wakeups, monkeypatch):
    with wakeups.watch([partition.id]):
        wait_until_listening(wakeups)
    # From here on the appending side says nothing: its hints never arrive.
    monkeypatch.setattr(wakeup, "payloads", lambda _ids: [])
    with wakeups.watch([partition.id]) as watch:
        watch.saw(partition.id, 0)
        time.sleep(0.3)
        append(postgres_log, partition)
        started = time.monotonic()
        assert watch.wait(HINTLESS)
        watch.saw(partition.id, 1)
        assert not watch.wait(HEAD_CHECK_INTERVAL_SECONDS * 1.5)
    assert time.monotonic() - started < HINTLESS + 2 * HEAD_CHECK_INTERVAL_SECONDS


def test_a_reader_that_did_not_say_what_it_saw_is_woken_rather_once_too_often(partition, wakeups):
    with wakeups.watch([partition.id]) as watch:
        assert watch.wait(HINTLESS)


def test_listener_and_notifier_survive_the_loss_of_their_connections(partition, postgres_log, wakeups):
    with wakeups.watch([partition.id]):
        wait_until_listening(wakeups)
    append(postgres_log, partition)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name IN ('eventflow-listen', 'eventflow-notify') AND datname = current_database()"
        )
        # The listener at least; the notifier connects when there is something to say.
        assert len(cursor.fetchall()) >= 1
    with wakeups.watch([partition.id]) as watch:
        watch.saw(partition.id, 1)
        append(postgres_log, partition)
        assert watch.wait(HINTLESS + 1)
    # And NOTIFY itself works again, not only the look at the heads.
    time.sleep(1.0)
    wait_until_listening(wakeups)
    with wakeups.watch([partition.id]) as watch:
        watch.saw(partition.id, 10**12)
        append(postgres_log, partition)
        assert watch.wait(5)


def test_a_thousand_readers_wait_without_a_connection_and_all_wake(partition, postgres_log):
    waiting = threading.Barrier(201, timeout=SECONDS)

    def wait():
        with wakeup.get_wakeups().watch([partition.id]) as watch:
            watch.saw(partition.id, 0)
            waiting.wait()
            assert watch.wait(20)
            return connection.connection

    def wait_for_many(count):
        watches = [wakeup.get_wakeups().watch([partition.id]) for _ in range(count)]
        for watch in watches:
            watch.__enter__()
            watch.saw(partition.id, 0)
        return watches

    def connections():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend'"
            )
            return {pid for (pid,) in cursor.fetchall()}

    earlier = connections()
    many = wait_for_many(800)
    readers = crowd(200, wait)
    waiting.wait()
    # The flusher's, the notifier's and the listener's, if none of them had one before.
    assert len(connections() - earlier) <= 3
    assert wakeup.get_wakeups().watch_count == 1_000
    started = time.monotonic()
    append(postgres_log, partition)
    assert all(watch.wait(5) for watch in many)
    assert outcomes_of(readers) == [None] * 200
    assert time.monotonic() - started < 5
    for watch in many:
        watch.__exit__(None, None, None)
    assert wakeup.get_wakeups().watch_count == 0


def test_readers_on_a_loop_wait_and_are_woken_in_one_pass(partition, postgres_log):
    async def wait() -> bool:
        with wakeup.get_wakeups().watch([partition.id]) as watch:
            watch.saw(partition.id, 0)
            return await watch.wait_async(20)

    async def main() -> list[bool]:
        waiting = [asyncio.ensure_future(wait()) for _ in range(500)]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in waiting)
        await postgres_log.append_async([PartitionAppend(partition, [event("a")])])
        return await asyncio.gather(*waiting)

    started = time.monotonic()
    assert asyncio.run(main()) == [True] * 500
    assert time.monotonic() - started < 10
    assert wakeup.get_wakeups().watch_count == 0


def test_notifications_stay_below_the_servers_limit():
    ids = [10**15 + number for number in range(2_000)]
    written = list(payloads(ids))
    assert max(map(len, written)) < 8_000
    assert [one for payload in written for one in partition_ids(payload)] == ids
    assert list(payloads([])) == []


@pytest.mark.parametrize("payload", ["", ",", "x", "1,-2,3.5, 4,٣", "9" * 5_000, "1,\n2"])
def test_a_strange_notification_is_harmless(partition, wakeups, payload):
    assert all(0 <= one < 2**64 for one in partition_ids(payload))
    with wakeups.watch([partition.id]) as watch:
        watch.saw(partition.id, 10**12)
        wait_until_listening(wakeups)
        with connect("test") as other:
            tell = statements.on(other).rows
            tell("notify", payload=payload)
            tell("notify", payload=str(partition.id))
        assert watch.wait(5)
