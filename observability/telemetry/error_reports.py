"""Reports of unexpected errors to Sentry: an extra, loaded only with SENTRY_DSN set.

What is reported is what is logged at level ERROR, with its traceback and its request id: no request body, no header,
no local variable, no cookie; keys, tokens and passwords are blanked as in the log.
"""

import logging
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.threading import ThreadingIntegration
from structlog.contextvars import get_contextvars

from observability.telemetry.log_safety import is_secret_name, redact_text

# Words of the log line by which reports can be found.
TAGS = ("request_id", "task_id", "task")


def start(*, dsn: str, environment: str) -> None:
    """Begin to report from this process; nothing is sent before there is an error."""
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        # Django's own integration would read requests; what is worth a report is in the log already.
        default_integrations=False,
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR),
            ExcepthookIntegration(),
            ThreadingIntegration(propagate_hub=False),
            DedupeIntegration(),
        ],
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=None,
        shutdown_timeout=2,
        before_send=prepare,
    )


def prepare(event: Any, hint: dict[str, Any]) -> Any:
    """Return the report as it may leave: named by its request, and without secrets."""
    record = hint.get("log_record")
    words: dict[str, Any] = dict(get_contextvars())
    if record is not None and isinstance(record.msg, dict):
        # structlog hands the standard library a dictionary; its `event` is the message.
        words |= record.msg
        event["logentry"] = {"message": str(record.msg.get("event", ""))}
        event["extra"] = {name: value for name, value in record.msg.items() if isinstance(value, str | int | float)}
    tags = {name: str(words[name]) for name in TAGS if words.get(name)}
    event["tags"] = {**dict(event.get("tags") or {}), **tags}
    for name in ("request", "user", "breadcrumbs"):
        event.pop(name, None)
    return clean(event)


def clean(value: Any) -> Any:
    """Return a copy of `value` without secrets, however deep it is."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {
            name: "[redacted]" if isinstance(name, str) and is_secret_name(name) else clean(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [clean(each) for each in value]
    return value
