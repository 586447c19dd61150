"""How log lines look: one JSON object a line, or readable text in a terminal.

`configure` is what Django calls as LOGGING_CONFIG. Lines of the standard library and of structlog go through
the same processors, carry the request's or task's id, and are free of secrets and of control characters.
"""

import functools
import logging
import sys
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor

from observability.telemetry.log_safety import escape_text, is_secret_name, redact_text
from observability.telemetry.log_writer import LogWriter

# Chatty, or repeating what the access line already says.
QUIET_LOGGERS = {
    "django.request": logging.ERROR,
    "django.db.backends": logging.WARNING,
    "celery.app.trace": logging.CRITICAL,
    # It would say each tick, of which there are several a second.
    "celery.beat": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    "psycopg.pool": logging.ERROR,
}
# A traceback keeps its line breaks in a terminal; nothing else does.
TRACEBACK_FIELDS = ("exception", "exc_info", "stack")


class LogHandler(logging.Handler):
    """Gives formatted records to the log writer; errors are written before it returns."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            writer = log_writer()
            writer.write(self.format(record).encode("utf-8", "backslashreplace") + b"\n")
            if record.levelno >= logging.ERROR:
                writer.flush()
        except Exception:  # noqa: BLE001 - logging never breaks what it logs about
            self.handleError(record)


@functools.cache
def log_writer() -> LogWriter:
    """The one writer of this process. It writes to standard error: commands own standard output."""
    return LogWriter(2)


def is_pretty(wish: str) -> bool:
    """Whether lines are for human eyes: `auto` means that standard error is a terminal."""
    return wish == "pretty" or (wish == "auto" and sys.stderr.isatty())


def configure(config: Mapping[str, str]) -> None:
    """Set up logging from `settings.LOGGING`: `{"level": "INFO", "format": "auto" | "json" | "pretty"}`."""
    handler = LogHandler()
    handler.setFormatter(pretty_formatter() if is_pretty(config["format"]) else json_formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config["level"])
    for name, level in QUIET_LOGGERS.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    # Django's default configuration, applied just before, gave these handlers of their own.
    for name in ("django", "django.server"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def json_formatter() -> logging.Formatter:
    """Return the formatter of production: one JSON object a line."""
    return _formatter([structlog.processors.format_exc_info, redact, render_json])


def pretty_formatter() -> logging.Formatter:
    """Return the formatter of a terminal."""
    return _formatter(
        [structlog.processors.format_exc_info, redact, escape, structlog.dev.ConsoleRenderer(pad_event_to=0)]
    )


def _formatter(ending: list[Processor]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.contextvars.merge_contextvars,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *ending,
        ],
    )


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Blank what looks like a secret, by the field's name or by its text."""
    for name, value in event.items():
        if is_secret_name(name):
            event[name] = "[redacted]"
        elif value is not None and not isinstance(value, int | float):
            event[name] = redact_text(str(value))
    return event


def escape(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Escape control characters, so that no value can move the cursor or fake a line of its own."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = escape_text(value, keep="\n\t" if name in TRACEBACK_FIELDS else "")
    return event


def render_json(_logger: Any, _method: str, event: EventDict) -> str:
    """Render one line of JSON; lone surrogates, which UTF-8 cannot hold, are escaped."""
    try:
        line = orjson.dumps(event, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        line = orjson.dumps({escape_text(str(name)): escape_text(str(value)) for name, value in event.items()})
    return escape_text(line.decode())
