"""What requests note in memory, written down beside all of them: by a thread, for as long as the process lives."""

import logging
import threading
import time
from collections.abc import Callable

from django.db import Error, connection
from psycopg_pool import PoolTimeout


def keep_writing(write: Callable[[], object], *, what: str, every_seconds: float, logger: logging.Logger) -> None:
    """Write down what is noted now and again.

    Args:
        write: asks the database nothing where nothing is noted; keeps noted what could not be written.
        what: is written, for whoever reads logs; also the thread's name.
    """

    def write_forever() -> None:
        while True:
            time.sleep(every_seconds)
            try:
                write()
            except (Error, PoolTimeout) as error:
                # The database is away: it is written when it is there again.
                logger.info("%s could not be written down: %s", what, type(error).__name__)
            finally:
                connection.close()

    threading.Thread(target=write_forever, name=f"eventflow-{what.replace(' ', '-')}", daemon=True).start()
