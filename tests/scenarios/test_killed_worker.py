"""A Celery worker that is killed in the middle of a task: the next one finishes it."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.utils import timezone
from redis import Redis

from accounts.models import IdempotencyRecord
from eventflow_site.celery import app
from eventflow_site.embedded.valkey import ValkeyServer, valkey_in
from eventflow_site.supervisor import programs
from eventflow_site.supervisor.children import Child
from eventflow_site.supervisor.home import Home
from tests.run.instance import clean_environment, wait_for
from tests.web_server import test_database_url

pytestmark = [
    pytest.mark.processes,
    pytest.mark.usefixtures("db_with_commits"),
    pytest.mark.skipif(sys.platform != "linux", reason="kills a process group"),
]

TASK = "accounts.delete_expired_idempotency_keys"
VISIBILITY_SECONDS = 3
# How often a worker looks for what another one left (settings.CELERY_BROKER_TRANSPORT_OPTIONS).
RESTORE_SECONDS = 5
# This machine may be busy, and a worker takes its time to start.
START_SECONDS = 30


@pytest.fixture
def place() -> Path:
    return Path(tempfile.mkdtemp(dir=os.environ["EVENTFLOW_HOME"], prefix="killed-"))


@pytest.fixture
def broker(place: Path) -> Iterator[ValkeyServer]:
    """One of its own: workers of other tests must not take the task, nor lose theirs to this one."""
    server = valkey_in(place / "valkey", log_path=place / "valkey.log")
    with server.log_path.open("ab") as log:
        process = server.start(log)
    try:
        server.wait_until_ready(process)
        yield server
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def workers(place: Path, broker: ValkeyServer) -> Iterator[Child]:
    """The worker as `make run` starts it, again and again."""
    with ExitStack() as stack:
        home = Home(path=place, lock=stack.enter_context(Path(os.devnull).open()))
        home.directory("logs")
        environment = clean_environment(
            DATABASE_URL=test_database_url(),
            DATABASE_POOL_SIZE="0",
            REDIS_URL=broker.url,
            CELERY_BROKER_URL=broker.broker_url,
            CELERY_VISIBILITY_TIMEOUT_SECONDS=str(VISIBILITY_SECONDS),
            EVENTFLOW_HOME=str(place),
            SECRET_KEY=os.environ["SECRET_KEY"],
            JWT_SIGNING_KEY=os.environ["JWT_SIGNING_KEY"],
        )
        worker = programs.worker(home, environment)
        stack.callback(lambda: worker.ensure_stopped(by=0))
        yield worker


def make_expired_record() -> IdempotencyRecord:
    past = timezone.now() - timedelta(days=2)
    return IdempotencyRecord.objects.create(
        caller="user:1", key="k", request_hash=b"h", created_at=past, expires_at=past + timedelta(days=1)
    )


@contextmanager
def held_back(record: IdempotencyRecord) -> Iterator[psycopg.Connection]:
    """Hold the record's row: whoever deletes it stands in the middle of the task."""
    with psycopg.connect(test_database_url()) as holder:
        holder.execute("SELECT 1 FROM accounts_idempotencyrecord WHERE id = %s FOR UPDATE", [record.pk])
        yield holder


def backends_at_work() -> int:
    with psycopg.connect(test_database_url()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE 'DELETE FROM \"accounts_idempotencyrecord\"%' AND state <> 'idle'"
        ).fetchone()
    return int(row[0]) if row else 0


def test_what_a_killed_worker_had_in_its_hands_is_done_by_the_next(workers: Child, broker: ValkeyServer) -> None:
    record = make_expired_record()
    messages = Redis(unix_socket_path=str(broker.socket_path))
    with held_back(record) as holder:
        first = workers.start()
        with app.connection_for_write(broker.broker_url) as connection:
            app.send_task(TASK, connection=connection, retry=False)
        wait_for("the worker in the middle of the task", lambda: backends_at_work() == 1, START_SECONDS)
        # Taken and not acknowledged: the queue is empty, and yet the broker still knows of it.
        assert (messages.llen("celery"), messages.hlen("unacked")) == (0, 1)
        first.kill()
        first.wait()
        killed_at = time.monotonic()
        # Its connection is gone, so what it had begun is undone.
        holder.rollback()
        wait_for("the end of the killed worker's statement", lambda: backends_at_work() == 0)
    assert IdempotencyRecord.objects.filter(pk=record.pk).exists()
    assert messages.hlen("unacked") == 1

    workers.start()
    started = time.monotonic()
    within = max(VISIBILITY_SECONDS - (started - killed_at), 0) + RESTORE_SECONDS + START_SECONDS
    wait_for("the second worker", lambda: not IdempotencyRecord.objects.filter(pk=record.pk).exists(), within)
    wait_for("its acknowledgement", lambda: messages.hlen("unacked") == 0)
    assert messages.llen("celery") == 0
