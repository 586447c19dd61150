"""Times the statements of Django's connections; those of the log's own connections are timed where they are sent."""

import time
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.slow_statements import flag_if_slow


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
        flag_if_slow(sql, time.perf_counter() - started)
