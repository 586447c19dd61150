"""Partitions that somebody holds, a person in psql say, and perhaps for an hour: a tick goes on with the others."""

from typing import Final

from django.db import OperationalError
from psycopg.errors import LockNotAvailable

# Each costs a tick as long as a lock is waited for. Where there are so many, the rest is left for the next tick.
MOST_HELD: Final = 3


def is_held(error: OperationalError) -> bool:
    """Whether a statement failed since it waited for what another transaction holds."""
    return isinstance(error.__cause__, LockNotAvailable)
