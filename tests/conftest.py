"""Fixtures that every test may use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.apps import apps
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test.utils import setup_databases, teardown_databases
from whitenoise.middleware import WhiteNoiseMiddleware

from accounts.limits.rates import forget_rates
from accounts.services.authenticate_key import forget_keys
from accounts.services.key_uses import forget_key_uses
from consumers.queries import forget_groups
from streams.log import close_log
from streams.lookup import forget_streams
from streams.schema_lookup import forget_schemas
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


@pytest.fixture(scope="session", autouse=True)
def static_files_found_once() -> Iterator[None]:
    """Every client of Django's loads the middleware anew, and WhiteNoise then looks at each of hundreds of files."""
    find = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, Any] = {}

    def find_once(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            find(middleware)
            found.update(middleware.files)
        middleware.files = found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", find_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """A password's hash is meant to take half a second; here a thousandth of that is enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", PBKDF2PasswordHasher.iterations // 1_000)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker, django_db_modify_db_settings) -> Iterator[None]:
    """The test database; pytest-django's own would make it only for tests that carry its mark."""
    with django_db_blocker.unblock():
        if template := os.environ.get("EVENTFLOW_TEST_TEMPLATE"):
            copy_database(template)
            yield
            # It goes with its server.
            close_log()
            close_pool()
        else:
            settings = setup_databases(verbosity=0, interactive=False, aliases={"default": None})
            yield
            close_log()
            end_other_sessions()
            close_pool()
            teardown_databases(settings, verbosity=0)


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


@pytest.fixture
def db_with_commits(request, django_db_setup, django_db_blocker) -> Iterator[None]:
    """A clean database in which everything commits for real, as other threads and processes need it."""
    assert request.node.get_closest_marker("database"), "only runs if others need servers: mark it with `database`"
    with django_db_blocker.unblock(), emptied_in_the_end():
        yield


@pytest.fixture(scope="module")
def db_with_commits_for_all(django_db_setup, django_db_blocker) -> Iterator[None]:
    """The same for a whole module, whose tests only look at what was put there once."""
    with django_db_blocker.unblock(), emptied_in_the_end():
        yield


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
    forget_keys()
    forget_key_uses()
    forget_rates()
    forget_streams()
    forget_groups()
    forget_schemas()
    forget_schema_uses()
    connection.close()
    if connections_in_use():
        # Threads that have ended, or will never, keep some: the next test has a pool without them.
        close_pool()
