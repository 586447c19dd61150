from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from psycopg import IsolationLevel


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let several queries see the database as of one moment, so that their numbers agree with each other."""
    if connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    # Said by the driver as it begins the transaction: a statement for it would be one more way to the server and back.
    driver = connection.connection
    usual = driver.isolation_level, driver.read_only
    driver.isolation_level, driver.read_only = IsolationLevel.REPEATABLE_READ, True
    try:
        with transaction.atomic():
            yield
    finally:
        if not driver.closed:
            driver.isolation_level, driver.read_only = usual
