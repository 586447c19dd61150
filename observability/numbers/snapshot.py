from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from observability.numbers.statements import run


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let several queries see the database as of one moment, so that their numbers agree with each other."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        run("take_snapshot")
        yield
