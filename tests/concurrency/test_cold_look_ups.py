"""A crowd meets a process that remembers nothing: what all of them need is asked of the database once."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from accounts.key_material import make_key as make_key_material
from accounts.services import authenticate_key as keys
from accounts.short_memory import ShortMemory
from accounts.waits import run_blocking
from consumers import queries as groups
from consumers.errors import ConsumerGroupNotFound
from consumers.models import GroupMember
from consumers.services import members
from streams import lookup as streams
from streams.connections import connect
from tests.accounts.waiters import wait_for_waiters
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.run.instance import wait_for
from tests.threads import SECONDS, crowd, outcomes_of, waits_for_a_lock

pytestmark = pytest.mark.usefixtures("db_with_commits")

CROWD = 40


class Statements:
    """Counts those that mention a table, in whatever thread; the first can be made to wait."""

    def __init__(self, table: str, before_first: Callable[[], None] = lambda: None) -> None:
        self.count = 0
        self._table = table
        self._before_first = before_first
        self._lock = threading.Lock()

    def __call__(self, execute: Callable[..., Any], sql: Any, *rest: Any) -> Any:
        text = (sql.decode() if isinstance(sql, bytes) else str(sql)).replace('"', "")
        if f"FROM {self._table}" in text or f"INTO {self._table}" in text:
            with self._lock:
                self.count += 1
                is_first = self.count == 1
            if is_first:
                self._before_first()
        return execute(sql, *rest)


def ask_together(memory: ShortMemory[Any, Any], table: str, call: Callable[[], Any]) -> tuple[list[Any], int]:
    """Let a crowd make a call while the first statement takes so long that all have come; return what it cost."""
    statements = Statements(table, lambda: wait_for_waiters(memory, CROWD - 1))

    def watched() -> Any:
        with connection.execute_wrapper(statements):
            return call()

    memory.forget()
    return outcomes_of(crowd(CROWD, watched)), statements.count


def test_a_key_is_looked_up_once():
    owner = make_owner()
    key = make_key(owner)
    found, cost = ask_together(keys._memory, "accounts_apikey", lambda: keys.authenticate_key(key))
    assert {caller.user_id for caller in found} == {owner.pk}
    assert cost == 1


def test_a_key_that_does_not_exist_is_looked_up_twice_at_most():
    key, _ = make_key_material()
    found, cost = ask_together(keys._memory, "accounts_apikey", lambda: keys.authenticate_key(key))
    assert {type(error).__name__ for error in found} == {"InvalidCredentials"}
    assert cost <= 2


def test_a_stream_is_looked_up_once_with_its_partitions():
    make_stream("orders", partitions=3)
    found, cost = ask_together(streams._memory, "streams_partition", lambda: streams.find_stream("orders"))
    assert {len(stream.partitions) for stream in found} == {3}
    assert cost == 1


def test_a_stream_that_does_not_exist_is_looked_up_twice_at_most():
    found, cost = ask_together(streams._memory, "streams_stream", lambda: streams.find_stream("nothing"))
    assert found == [None] * CROWD
    assert cost <= 2


def test_a_group_is_looked_up_once():
    stream = make_stream("orders")
    group = make_group(stream, "billing")
    info = streams.find_stream("orders")
    found, cost = ask_together(
        groups._groups,
        "consumers_consumergroup",
        lambda: groups._groups.get((info.id, "billing"), lambda: groups.get_group(info, "billing")),
    )
    assert {each.pk for each in found} == {group.pk}
    assert cost == 1


def test_a_group_that_does_not_exist_is_looked_up_twice_at_most():
    make_stream("orders")
    info = streams.find_stream("orders")
    found, cost = ask_together(
        groups._groups,
        "consumers_consumergroup",
        lambda: groups._groups.get((info.id, "nothing"), lambda: groups.get_group(info, "nothing")),
    )
    assert {type(error) for error in found} == {ConsumerGroupNotFound}
    assert cost <= 2


def test_a_member_is_written_down_once():
    group = make_group(make_stream(), "billing")
    statements = Statements("consumers_groupmember")
    together = threading.Barrier(CROWD + 1, timeout=SECONDS)

    def note() -> None:
        with connection.execute_wrapper(statements):
            together.wait()
            run_blocking(members.note_member_async(group_id=group.pk, name="worker-1"))

    with members._lock:
        all_of_them = crowd(CROWD, note)
        together.wait()
        # All of them have seen by now that nobody has written it down.
        time.sleep(0.3)
    assert outcomes_of(all_of_them) == [None] * CROWD
    assert statements.count == 1
    assert GroupMember.objects.get().name == "worker-1"


def test_who_waits_for_a_stuck_database_is_told_that_nothing_was_stored(monkeypatch):
    """One asks, and is held up by a lock; the others are not held up for as long as it is."""
    monkeypatch.setattr(streams, "_memory", ShortMemory(seconds=SECONDS, size=10, patience_seconds=0.1))
    owner = make_owner()
    key = make_key(owner)
    make_stream("orders", owner=owner)

    def append() -> Any:
        return ApiClient(key=key).post("/events", {"stream": "orders", "payload": 1})

    with connect("blocker") as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE streams_stream IN ACCESS EXCLUSIVE MODE")
        asking = crowd(1, append)
        wait_for("the lock to be waited for", waits_for_a_lock)
        answers = outcomes_of(crowd(10, append))
        blocker.execute("ROLLBACK")
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "database_unavailable")}
    assert {answer.headers["EventFlow-Stored"] for answer in answers} == {"no"}
    assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
    (stored,) = outcomes_of(asking)
    assert stored.status_code == 202
    log = ApiClient(key=key).get("/streams/orders/events", last_offset=0).json()
    assert [event["payload"] for event in log] == [1]
