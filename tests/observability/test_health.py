"""/healthz and /readyz: alive, and fit to serve."""

import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from kombu.connection import Connection

from observability.telemetry.health import known_migrations
from observability.telemetry.heartbeat import record_tick
from streams.log import use_log
from streams.log.protocol import LogHealth

pytestmark = pytest.mark.usefixtures("db_with_commits")


class LogThatSays:
    """A log of which only the health is asked."""

    def __init__(self, health):
        self._health = health

    def health(self):
        return self._health


HEALTHY = LogThatSays(LogHealth(is_writable=True, is_durable=True))


def readyz():
    response = Client().get("/readyz")
    return response.status_code, response.json()


def test_healthz_asks_no_database(django_assert_num_queries):
    with django_assert_num_queries(0):
        response = Client().get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_ready():
    record_tick(now=timezone.now())
    with use_log(HEALTHY):
        assert readyz() == (200, {"status": "ready", "reasons": [], "degraded": []})


def test_a_database_that_does_not_answer_is_not_ready():
    with use_log(LogThatSays(LogHealth(is_writable=False, is_durable=False, reason="PostgreSQL does not answer"))):
        status, found = readyz()
    assert status == 503
    assert found["reasons"] == ["database: PostgreSQL does not answer"]


def test_a_database_that_may_forget_is_not_ready():
    # The database of the tests runs with fsync off.
    status, found = readyz()
    assert status == 503
    assert "fsync is off" in found["reasons"][0]


def test_a_missing_migration_is_not_ready():
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("observability", "0001_rollups_and_heartbeat")
    try:
        with use_log(HEALTHY):
            status, found = readyz()
    finally:
        recorder.record_applied("observability", "0001_rollups_and_heartbeat")
    assert status == 503
    assert "1 migration is not applied" in found["reasons"][0]


def test_an_empty_database_has_them_all_before_it():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO out_of_reach")
    try:
        with use_log(HEALTHY):
            status, found = readyz()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE out_of_reach RENAME TO django_migrations")
    assert status == 503
    assert found["reasons"] == [f"{len(known_migrations())} migrations are not applied: run `manage.py migrate`"]


def test_it_asks_the_database_each_time_in_four_plain_questions(django_assert_num_queries):
    known_migrations()
    for _ in range(2):
        with django_assert_num_queries(4) as asked:
            readyz()
        assert not [query["sql"] for query in asked.captured_queries if "pg_catalog" in query["sql"]]


def test_however_many_ask_the_broker_is_asked_once_in_a_second(settings, monkeypatch):
    looks = []
    monkeypatch.setattr(Connection, "ensure_connection", lambda *_args, **_kwargs: looks.append(1))
    # An address that no other test has looked at.
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/9"
    with use_log(HEALTHY):
        for _ in range(20):
            readyz()
    assert 1 <= len(looks) < 20


def test_what_cannot_be_read_is_not_taken_for_well():
    record_tick(now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE observability_heartbeat RENAME TO out_of_reach")
    try:
        with use_log(HEALTHY):
            status, found = readyz()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE out_of_reach RENAME TO observability_heartbeat")
    assert status == 503
    assert found["reasons"] == ["database: its migrations and ticks cannot be read; the log of this server says why"]


def test_without_ticks_it_serves_but_says_so():
    with use_log(HEALTHY):
        status, found = readyz()
        assert status == 200
        assert "no tick yet" in found["degraded"][0]

        record_tick(now=timezone.now() - timedelta(seconds=300))
        status, found = readyz()
        assert status == 200
        assert "beat: no tick for 30" in found["degraded"][0]


def test_without_a_broker_it_serves_but_says_so(settings):
    record_tick(now=timezone.now())
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    with use_log(HEALTHY):
        started = time.monotonic()
        status, found = readyz()
    assert status == 200
    assert found["degraded"][0].startswith("broker: does not answer")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_nothing_but_reading_is_possible(path):
    assert Client().post(path).status_code == 405
