"""The pool that the threads of this process share, as those of a web worker do."""

from typing import cast

from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper


def connections_in_use() -> int:
    """How many connections threads have taken and not given back."""
    numbers = cast("DatabaseWrapper", connection).pool.get_stats()
    return int(numbers["pool_size"] - numbers["pool_available"])


def close_pool() -> None:
    """Give this thread's connection back, and close all that wait; the next use begins a new pool."""
    connection.close()
    cast("DatabaseWrapper", connection).close_pool()
