"""Two that start on one empty database: one migrates it, the other waits and finds nothing left to do."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from eventflow_site.migration_turn import MIGRATION_LOCK, migration_turn
from tests.web_server import test_database_url

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow("starts processes that migrate an empty database"),
    pytest.mark.usefixtures("db_with_commits"),
]

EMPTY = "migrated_by_two"
PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120


@pytest.fixture
def empty_database() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {EMPTY}")
        cursor.execute(f"CREATE DATABASE {EMPTY}")
    yield urlsplit(test_database_url())._replace(path=f"/{EMPTY}").geturl()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {EMPTY} WITH (FORCE)")


def start(database: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": database},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, said


def run_at_once(database: str, *commands: Sequence[str]) -> list[tuple[int, str]]:
    """Run commands that all begin to migrate at the same moment."""
    with psycopg.connect(database, autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        processes = [start(database, *command) for command in commands]
        for process in processes:
            assert process.stdout is not None
            assert "Somebody else is migrating" in process.stdout.readline()
    return [outcome(process) for process in processes]


def test_two_that_migrate_an_empty_database_at_once_both_succeed(empty_database):
    outcomes = run_at_once(empty_database, *[["migrate", "--no-input"]] * 2)

    assert [code for code, _ in outcomes] == [0, 0], outcomes
    assert sorted("No migrations to apply" in said for _, said in outcomes) == [False, True]


def test_two_first_starts_make_one_admin(empty_database, tmp_path):
    answers = [tmp_path / "one.json", tmp_path / "two.json"]
    outcomes = run_at_once(empty_database, *(["first_start", "--answer", str(answer)] for answer in answers))

    assert [code for code, _ in outcomes] == [0, 0], outcomes
    assert sorted("api_key" in json.loads(answer.read_text()) for answer in answers) == [False, True]
    with psycopg.connect(empty_database) as database:
        assert database.execute("SELECT count(*) FROM accounts_user").fetchone() == (1,)


def test_whoever_waits_holds_up_no_index_that_is_built_concurrently(empty_database):
    """A statement that waited would: PostgreSQL waits for all that are older before it uses such an index."""
    with psycopg.connect(empty_database, autocommit=True) as first:
        first.execute("CREATE TABLE things (name text)")
        first.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        second = start(empty_database, "migrate", "--no-input")
        assert second.stdout is not None
        assert "Somebody else is migrating" in second.stdout.readline()

        first.execute("SET statement_timeout = '60s'")
        first.execute("CREATE INDEX CONCURRENTLY things_by_name ON things (name)")
        assert second.poll() is None
    # Its connection has ended, as that of one who is killed.
    assert outcome(second)[0] == 0


def test_whoever_only_looks_does_not_wait(empty_database):
    with psycopg.connect(test_database_url(), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        call_command("migrate", check_unapplied=True, verbosity=0)


def test_a_turn_that_ends_in_an_error_is_over():
    with pytest.raises(LookupError), migration_turn(connection, say=print):
        raise LookupError
    with psycopg.connect(test_database_url()) as other:
        assert other.execute("SELECT pg_try_advisory_lock(%s)", [MIGRATION_LOCK]).fetchone() == (True,)
