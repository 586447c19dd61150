"""Flags slow SQL in the logs: the statement's text without its parameters, which may be anybody's data."""

import logging

from django.conf import settings

logger = logging.getLogger(__name__)

MAX_SQL_CHARACTERS = 1_000


def flag_if_slow(sql: object, seconds: float) -> None:
    """Log a statement that took longer than SLOW_SQL_SECONDS."""
    if seconds > settings.SLOW_SQL_SECONDS:
        logger.warning(
            "slow sql", extra={"sql": statement_text(sql), "duration_seconds": round(seconds, 6), "slow": True}
        )


def statement_text(sql: object) -> str:
    """Return a statement on one line, cut where it gets long, without its parameters."""
    text = sql.decode() if isinstance(sql, bytes) else str(sql)
    return " ".join(text.split())[:MAX_SQL_CHARACTERS]
