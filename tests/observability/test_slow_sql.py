"""A statement that takes long is flagged in the log, whoever sends it, and without its parameters."""

import logging
import threading

import psycopg
import pytest
from django.db import connection

from accounts.statements import read_statements
from streams.connections import connect
from streams.log import get_log
from streams.log.protocol import PartitionAppend
from streams.lookup import load_stream
from tests.factories import make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")

SLOW_SECONDS = 0.1


@pytest.fixture(autouse=True)
def _impatient(settings):
    settings.SLOW_SQL_SECONDS = SLOW_SECONDS


def flagged(caplog) -> list[str]:
    assert all(record.duration_seconds > SLOW_SECONDS for record in caplog.records if record.message == "slow sql")
    return [record.sql for record in caplog.records if record.message == "slow sql"]


def test_a_statement_of_the_orm_is_flagged(caplog):
    with caplog.at_level(logging.WARNING), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.2),\n  %s", ["secret"])
        cursor.execute("SELECT 1")

    assert flagged(caplog) == ["SELECT pg_sleep(0.2), %s"]


@pytest.fixture
def slow(tmp_path):
    """A statement that takes its time, in a file as all of ours are."""
    (tmp_path / "slow.sql").write_text("-- Take a while.\nSELECT pg_sleep(0.2),\n       %(name)s::text;\n")
    return read_statements(tmp_path)


def test_a_statement_of_ours_is_flagged_once(caplog, slow):
    with caplog.at_level(logging.WARNING):
        slow.rows("slow", name="secret")

    assert flagged(caplog) == ["SELECT pg_sleep(0.2), %(name)s::text"]


def test_a_statement_on_a_connection_of_our_own_is_flagged_once(caplog, slow):
    with caplog.at_level(logging.WARNING), connect("test") as own:
        slow.on(own).rows("slow", name="secret")

    assert flagged(caplog) == ["SELECT pg_sleep(0.2), %(name)s::text"]


def test_a_statement_that_its_timeout_ends_is_flagged_too(caplog, slow):
    with (
        caplog.at_level(logging.WARNING),
        connect("test", "statement_timeout=120ms") as own,
        pytest.raises(psycopg.errors.QueryCanceled),
    ):
        slow.on(own).rows("slow", name="secret")

    assert flagged(caplog) == ["SELECT pg_sleep(0.2), %(name)s::text"]


def test_a_slow_commit_of_appends_is_flagged(caplog):
    stream = load_stream(make_stream("orders").name)
    assert stream is not None
    partition = stream.partitions[0]
    with connect("test") as holder, caplog.at_level(logging.WARNING), holder.transaction():
        hold(holder, partition.id)
        appending = threading.Thread(
            target=get_log().append, args=([PartitionAppend(partition, [b'{"type":"t","payload":"secret"}'])],)
        )
        appending.start()
        appending.join(0.3)
        assert appending.is_alive()
    appending.join(5)

    (text,) = flagged(caplog)
    assert text.startswith("WITH growth AS")
    assert "secret" not in text


def hold(holder: psycopg.Connection, partition_id: int) -> None:
    holder.execute("SELECT 1 FROM streams_partition WHERE id = %s FOR UPDATE", [partition_id])
