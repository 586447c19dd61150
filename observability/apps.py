from importlib import import_module
from types import ModuleType

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.signals import connection_created


class ObservabilityConfig(AppConfig):
    name = "observability"

    def ready(self) -> None:
        from observability.telemetry import heartbeat, task_metrics
        from observability.telemetry.slow_sql import watch_connection

        connection_created.connect(watch_connection, dispatch_uid="slow-sql")
        task_metrics.connect()
        heartbeat.connect()
        if settings.TRACES_ENABLED:
            load_extra("tracing", wanted_by="EVENTFLOW_TRACES").connect()
        if settings.SENTRY_DSN:
            reports = load_extra("error_reports", wanted_by="SENTRY_DSN")
            reports.start(dsn=settings.SENTRY_DSN, environment=settings.SENTRY_ENVIRONMENT)


def load_extra(name: str, *, wanted_by: str) -> ModuleType:
    """Import a module whose libraries are extras, or say how to install them."""
    try:
        return import_module(f"observability.telemetry.{name}")
    except ModuleNotFoundError as error:
        raise ImproperlyConfigured(
            f"{wanted_by} is set, but {error.name} is not installed: "
            "pip install --require-hashes -r requirements-extras.txt, or unset it."
        ) from error
