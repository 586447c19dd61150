"""A durable PostgreSQL of the benchmark's own, migrated, with nothing else running on it."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from eventflow_site.embedded.postgres import DATABASE_NAME, DURABLE, postgres_in


@contextmanager
def own_database(**settings: str) -> Iterator[None]:
    """Start it, set Django up on it, and delete it afterwards.

    Args:
        settings: PostgreSQL's, where they are not those of `make run`.
    """
    home = Path(tempfile.mkdtemp(prefix="eventflow-bench-"))
    server = postgres_in(home / "postgres", log_path=home / "postgres.log", durability={**DURABLE, **settings})
    server.initialise()
    with server.log_path.open("ab") as log:
        process = server.start(log)
    try:
        server.wait_until_ready(process)
        with psycopg.connect(server.maintenance_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE_NAME}")
        set_up_django(server.url)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(server.data.parent, ignore_errors=True)


def set_up_django(database_url: str) -> None:
    """Let this process work with a database, migrated if it was not."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "eventflow_site.settings",
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "SECRET_KEY": "for-benchmarks-only-" + "0" * 40,
        "JWT_SIGNING_KEY": "for-benchmarks-only-" + "1" * 40,
        "EVENTFLOW_LOG_LEVEL": "WARNING",
    }
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
