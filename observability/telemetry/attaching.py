"""What every process tells of its work, those without Django's applications (beat) too."""

from importlib import import_module
from types import ModuleType

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from observability.telemetry import task_metrics


def attach() -> None:
    """Count tasks; send traces and reports of errors, where the settings ask for them.

    Raises:
        ImproperlyConfigured: they ask for what is not installed.
    """
    task_metrics.connect()
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
