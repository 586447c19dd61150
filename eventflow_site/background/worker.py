"""`python -m eventflow_site.background.worker`: the Celery worker, which carries out what beat's ticks ask for."""

import os
import sys
from typing import Final

# Celery would have Django's checks made, and throw away what they say. They load every page and every address.
os.environ.setdefault("CELERY_SKIP_CHECKS", "yes")

from eventflow_site.celery import app

# Threads: tasks wait for PostgreSQL and for nothing else.
CONCURRENCY: Final = 4


def main() -> int:
    """Work until asked to stop by SIGTERM or SIGINT; return the exit code."""
    worker = app.Worker(
        pool_cls="threads",
        concurrency=CONCURRENCY,
        loglevel="INFO",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
