"""One at a time prepares a database: two that start on an empty one would make the same tables."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

# Of this database alone, and nobody else's: "evflow".
MIGRATION_LOCK = 0x6576666C6F77
_TRY_SECONDS = 0.2


@contextmanager
def migration_turn(connection: BaseDatabaseWrapper, *, say: Callable[[str], object]) -> Iterator[None]:
    """Wait until nobody else prepares this database, and keep others from it until the end.

    Whoever has the turn may take it again. It ends with the connection, so nobody who is killed holds up the others.
    """
    is_told = False
    # Not pg_advisory_lock: a statement that waits has a snapshot, for whose end CREATE INDEX CONCURRENTLY would wait.
    while not _ask(connection, "SELECT pg_try_advisory_lock(%s)"):
        if not is_told:
            say("Somebody else is migrating this database: waiting until that is done.")
            is_told = True
        time.sleep(_TRY_SECONDS)
    try:
        yield
    finally:
        # Without the connection the lock is gone, and what broke it is what should be told.
        with suppress(Error):
            _ask(connection, "SELECT pg_advisory_unlock(%s)")


def _ask(connection: BaseDatabaseWrapper, question: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question, [MIGRATION_LOCK])
        return bool(cursor.fetchone()[0])
