"""Flags slow SQL in the logs: the statement's text without its parameters, which may be anybody's data."""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

MAX_SQL_CHARACTERS = 1_000


def watch_connection(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Time every statement of a connection; receiver of `connection_created`."""
    if time_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(time_statement)


def time_statement(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:  # noqa: FBT001 - Django's signature
    """Run a statement, and log it if it took longer than SLOW_SQL_SECONDS."""
    started = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        seconds = time.perf_counter() - started
        if seconds > settings.SLOW_SQL_SECONDS:
            logger.warning(
                "slow sql", extra={"sql": statement_text(sql), "duration_seconds": round(seconds, 6), "slow": True}
            )


def statement_text(sql: Any) -> str:
    """Return a statement on one line, cut where it gets long, without its parameters."""
    return " ".join(str(sql).split())[:MAX_SQL_CHARACTERS]
