"""A statement that takes its time goes on; one whose server has gone quiet does not."""

import os
import subprocess
import sys

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from eventflow_site import database
from eventflow_site.database import WatchfulConnection
from tests.web_server import test_database_url


@pytest.fixture
def connection(django_db_setup, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.3)
    with WatchfulConnection.connect(test_database_url(), autocommit=True) as opened:
        yield opened


def test_a_slow_statement_of_a_server_that_answers_others_is_waited_for(connection):
    assert connection.execute("SELECT 1 FROM pg_sleep(1.2)").fetchone() == (1,)


def test_a_server_that_answers_nobody_is_given_up(connection, monkeypatch):
    monkeypatch.setattr(database._pulse, "is_there", lambda: False)
    with pytest.raises(psycopg.OperationalError, match="stopped answering"):
        connection.execute("SELECT 1 FROM pg_sleep(20)")
    assert connection.closed


@pytest.mark.processes
def test_the_pool_of_the_web_server_has_such_connections():
    code = (
        "import django; django.setup(); from django.conf import settings;"
        "print(settings.DATABASES['default']['OPTIONS']['pool']['connection_class'].__name__)"
    )
    env = {**os.environ, "DATABASE_POOL_SIZE": "4", "DJANGO_SETTINGS_MODULE": "eventflow_site.settings"}
    said = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "WatchfulConnection"


def test_the_pools_check_finds_a_connection_that_its_server_closed(connection):
    with psycopg.connect(test_database_url(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])

    with pytest.raises(psycopg.OperationalError, match="closed this connection"):
        ConnectionPool.check_connection(connection)
    assert connection.closed


def test_the_pools_check_of_a_good_connection_asks_the_server_nothing(connection):
    connection.execute("SELECT 'the last that it heard'")

    ConnectionPool.check_connection(connection)

    with psycopg.connect(test_database_url(), autocommit=True) as other:
        last = other.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [connection.info.backend_pid])
        assert last.fetchone() == ("SELECT 'the last that it heard'",)
