"""Fixtures that every test may use."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from accounts.services.authenticate_key import forget_keys
from consumers.queries import forget_groups
from streams.log import close_log
from streams.lookup import forget_streams

# What migrations put there belongs to the schema.
KEPT = {"auth_group", "auth_permission", "django_content_type", "django_migrations"}


def delete_everything() -> None:
    """Empty every table but those that migrations fill."""
    tables = [m._meta.db_table for m in apps.get_models(include_auto_created=True) if m._meta.managed]
    names = [connection.ops.quote_name(table) for table in dict.fromkeys(tables) if table not in KEPT]
    with connection.cursor() as cursor:
        # Without the triggers of foreign keys the order does not matter, and it takes a millisecond or two.
        statements = "; ".join(f"DELETE FROM {name}" for name in names)
        cursor.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {statements}; COMMIT")


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker, django_db_modify_db_settings) -> Iterator[None]:
    """The test database; pytest-django's own would make it only for tests that carry its mark."""
    with django_db_blocker.unblock():
        settings = setup_databases(verbosity=0, interactive=False, aliases={"default": None})
        yield
        close_log()
        with connection.cursor() as cursor:
            # Threads that a test left behind keep their connections; the database could not be dropped.
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connection.close()
        teardown_databases(settings, verbosity=0)


@pytest.fixture
def db_with_commits(django_db_setup, django_db_blocker) -> Iterator[None]:
    """A clean database in which everything commits for real, as other threads and processes need it."""
    with django_db_blocker.unblock():
        try:
            yield
        finally:
            delete_everything()
            forget_keys()
            forget_streams()
            forget_groups()
            connection.close()
