"""Appends that come together share a commit; whoever comes first next time waits a moment for as many."""

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from accounts import company
from streams.log import group_commit
from streams.log.postgres import PostgresLog
from streams.log.protocol import PartitionAppend, PartitionRef
from tests.concurrency.test_log_outcomes import lock_held
from tests.run.instance import wait_for
from tests.streams.log.appending import event
from tests.threads import Work, waits_for_a_lock

HOLD = "SELECT 1 FROM streams_partition WHERE id = %s FOR UPDATE"


@pytest.fixture
def log(make_log: Callable[..., PostgresLog], monkeypatch: pytest.MonkeyPatch) -> PostgresLog:
    """One whose flusher would be noticed while it waits for somebody who does not come."""
    monkeypatch.setattr(group_commit, "GATHER_SECONDS_EACH", 20)
    monkeypatch.setattr(group_commit, "GATHER_SECONDS", 20)
    monkeypatch.setattr(company, "BUSY_SECONDS", 60)
    return make_log()


def append(log: PostgresLog, partition: PartitionRef, name: str) -> datetime:
    """Append an event; return when its commit recorded it, to the microsecond."""
    [stored] = log.append([PartitionAppend(partition, [event(name)])]).ranges
    return stored.recorded_at


def append_together(log: PostgresLog, partition: PartitionRef, *names: str) -> list[Any]:
    """Let appends share a commit, since one before them is under way."""
    with lock_held(HOLD, partition.id):
        works = [Work(lambda: append(log, partition, "before"))]
        wait_for("the first to wait", waits_for_a_lock)
        works += [Work(partial(append, log, partition, name)) for name in names]
        wait_for("the others to queue", lambda: log._committer._queue.qsize() == len(names))
    return [work.result() for work in works[1:]]


def test_the_first_waits_for_as_many_as_came_last_time_and_no_longer(partition, log):
    one, another = append_together(log, partition, "one", "another")
    assert one == another
    first = Work(lambda: append(log, partition, "first"))
    time.sleep(0.2)
    assert first.is_alive(), "it waits for one more"
    second = append(log, partition, "second")
    assert first.result(2) == second


def test_who_was_alone_last_time_waits_for_nobody(partition, log):
    append_together(log, partition, "one")
    started = time.monotonic()
    for name in ("alone", "alone again"):
        append(log, partition, name)
    assert time.monotonic() - started < 10


def test_what_was_long_ago_is_no_reason_to_wait(partition, log, monkeypatch):
    monkeypatch.setattr(company, "BUSY_SECONDS", 0)
    append_together(log, partition, "one", "another")
    started = time.monotonic()
    append(log, partition, "later")
    assert time.monotonic() - started < 10


def test_company_that_does_not_come_is_waited_for_once(partition, log, monkeypatch):
    append_together(log, partition, "one", "another")
    monkeypatch.setattr(group_commit, "GATHER_SECONDS", 0.05)
    append(log, partition, "in vain")
    monkeypatch.setattr(group_commit, "GATHER_SECONDS", 20)
    started = time.monotonic()
    append(log, partition, "at once")
    assert time.monotonic() - started < 10
