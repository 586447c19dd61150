"""/readyz asks the way an append goes: reads may do well while nothing can be stored."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client

from observability.telemetry import health
from streams.errors import AppendNotStored
from streams.log import get_log, use_log
from streams.log.postgres import PostgresLog
from streams.log.protocol import PartitionAppend
from streams.log.refusals import (
    BUSY,
    POOLED,
    READ_ONLY,
    SILENT,
    STANDBY,
    UNREACHABLE,
    USED_UP,
    describe_refusal,
    health_of,
)
from streams.log.wakeup import get_wakeups
from streams.lookup import load_stream
from tests.factories import make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")

ROLE = "appends_alone"


@pytest.fixture
def stream():
    return make_stream("orders", owner=make_owner())


@pytest.fixture
def log() -> Iterator[PostgresLog]:
    """A log of this test alone, whose append connection is not made yet."""
    fresh = PostgresLog(wakeups=get_wakeups())
    with use_log(fresh):
        yield fresh
    fresh.close()


@contextmanager
def appending_as_a_role_that(*, login: str) -> Iterator[None]:
    """Let connections outside of Django's be made as another role, while Django keeps the one it has."""
    connection.ensure_connection()
    user = connection.settings_dict["USER"]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE} LOGIN {login}")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {ROLE}")
    connection.settings_dict["USER"] = ROLE
    try:
        yield
    finally:
        connection.settings_dict["USER"] = user
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [ROLE])
            cursor.execute(f"DROP OWNED BY {ROLE}")
            cursor.execute(f"DROP ROLE {ROLE}")


def reasons() -> list[str]:
    response = Client().get("/readyz")
    found = response.json()["reasons"]
    # The database of the tests is not durable, so it is never ready.
    return [reason for reason in found if "not durable" not in reason]


def append(stream) -> None:
    partition = load_stream(stream.name).partitions[0]
    get_log().append([PartitionAppend(partition, [b'{"payload":1}'])])


def test_nothing_is_said_where_appends_are_stored(log, stream):
    append(stream)
    assert reasons() == []


def test_no_connection_left_for_appends_is_said(log, stream):
    with appending_as_a_role_that(login="CONNECTION LIMIT 0"):
        with pytest.raises(AppendNotStored):
            append(stream)
        assert reasons() == [f"database: {USED_UP}"]


def test_a_role_that_may_only_read_is_said_and_looked_at_anew(log, stream):
    with appending_as_a_role_that(login=""):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER ROLE {ROLE} SET default_transaction_read_only = on")
        with pytest.raises(AppendNotStored):
            append(stream)
        assert reasons() == [f"database: {READ_ONLY}"]
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER ROLE {ROLE} SET default_transaction_read_only = off")
        assert log._committer.find_refusal() is None


def test_a_role_that_is_not_let_in_is_said_without_its_name(log):
    with appending_as_a_role_that(login=""):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER ROLE {ROLE} NOLOGIN")
        assert reasons() == [f"database: {UNREACHABLE}"]


def test_a_server_that_ends_the_connection_is_asked_again(log, stream):
    append(stream)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'eventflow-append' AND datname = current_database()"
        )
    assert reasons() == []


def test_whoever_hangs_is_not_waited_for_and_appends_go_on_afterwards(log, stream, monkeypatch):
    append(stream)
    goes_on = threading.Event()

    def hang(self):
        goes_on.wait(20)
        return health_of((False, "off", "on", "on", "on"))

    with monkeypatch.context() as patch:
        patch.setattr("streams.log.commit.CommitSession.health", hang)
        patch.setattr("streams.log.group_commit.QUEUE_TIMEOUT_SECONDS", 0.2)
        assert reasons() == ["database: appends wait too long for PostgreSQL"]
    goes_on.set()
    # Its connection was cut; there is a new one.
    append(stream)


def test_however_many_ask_postgresql_is_asked_once_in_a_second(log, monkeypatch):
    asked = []
    find_refusal = log._committer.find_refusal
    monkeypatch.setattr(log._committer, "find_refusal", lambda: asked.append(1) or find_refusal())
    for _ in range(20):
        health.check_readiness()
    assert 1 <= len(asked) < 20


def test_a_server_that_shuts_down_says_so(log):
    log.close()
    assert reasons() == ["database: this server is shutting down"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FATAL:  sorry, too many clients already", USED_UP),
        ('FATAL:  too many connections for role "eventflow"', USED_UP),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", USED_UP),
        ("FATAL:  no more connections allowed (max_client_conn)", USED_UP),
        ('connection to server at "10.0.0.9", port 5432 failed: Connection refused', SILENT),
        ("connection timeout expired", SILENT),
        ('FATAL:  password authentication failed for user "eventflow"', UNREACHABLE),
        ("FATAL:  unsupported startup parameter: options", POOLED),
        ('prepared statement "_pg3_0" already exists', POOLED),
        ("no connection of this process's pool came free (DATABASE_POOL_SIZE)", BUSY),
    ],
)
def test_a_refusal_is_told_in_words_without_names(text, reason):
    assert describe_refusal(OSError(text)) == reason


def test_a_standby_is_told_from_a_primary_that_is_read_only():
    assert health_of((True, "on", "on", "on", "on")).reason == STANDBY
    assert health_of((False, "on", "on", "on", "on")).reason == READ_ONLY
