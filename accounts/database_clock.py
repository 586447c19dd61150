"""The clock by which what is stored got its times, the log's events above all.

What deletes for age asks it: a machine whose own clock is ahead would take what is young for old, for good.
"""

from datetime import datetime

from accounts.statements import run


def database_time() -> datetime:
    """Return what time it is for the database."""
    ((now,),) = run("database_time")
    found: datetime = now
    return found
