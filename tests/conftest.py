"""A test database, made and emptied, and what a process remembers of one. The fixtures are in `tests/fixtures.py`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from django.apps import apps
from django.db import connection

from accounts.limits.rates import forget_rates
from accounts.services.authenticate_browser import forget_browsers
from accounts.services.authenticate_key import forget_keys
from accounts.services.key_uses import forget_key_uses
from consumers.queries import forget_groups
from streams.log import SIGHTINGS
from streams.lookup import forget_streams
from streams.schema_lookup import forget_schemas
from streams.services.mirroring.running import stop_mirrors
from streams.services.schema_uses import forget_schema_uses
from tests.connection_pool import close_pool, connections_in_use

# What migrations put there belongs to the schema.
KEPT = {"auth_group", "auth_permission", "django_content_type", "django_migrations"}


def delete_everything() -> None:
    """Empty every table but those that migrations fill."""
    tables = [m._meta.db_table for m in apps.get_models(include_auto_created=True) if m._meta.managed]
    names = [connection.ops.quote_name(table) for table in dict.fromkeys(tables) if table not in KEPT]
    with connection.cursor() as cursor:
        # Without the triggers of foreign keys the order does not matter, and it takes a millisecond or two.
        statements = "; ".join(f"DELETE FROM {name}" for name in names)
        # The next test may get the same session.
        cursor.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {statements}; COMMIT; RESET ALL")


def copy_database(template: str) -> None:
    """Make this process's test database from one that is migrated already."""
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    server = urlsplit(os.environ["DATABASE_URL"])._replace(path="/postgres").geturl()
    with psycopg.connect(server, autocommit=True) as maintenance:
        maintenance.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    connection.settings_dict["NAME"] = name


def end_other_sessions() -> None:
    """Threads that a test left behind keep their connections; the database could not be dropped."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@contextmanager
def emptied_in_the_end() -> Iterator[None]:
    try:
        yield
    finally:
        try:
            delete_everything()
        finally:
            # Also where that failed: a connection in a broken transaction would fail every test after this one.
            forget_everything()


def forget_everything() -> None:
    """Forget what this process remembers of the database, and the connections that are left over."""
    stop_mirrors()
    forget_keys()
    forget_browsers()
    forget_key_uses()
    forget_rates()
    forget_streams()
    forget_groups()
    forget_schemas()
    forget_schema_uses()
    SIGHTINGS.forget()
    connection.close()
    if connections_in_use():
        # Threads that have ended, or will never, keep some: the next test has a pool without them.
        close_pool()
