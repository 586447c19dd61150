"""The application as Django knows it: put `eventflow_django` into INSTALLED_APPS."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class EventFlowConfig(AppConfig):
    name = "eventflow_django"
    verbose_name = "EventFlow"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them

        # Whatever an application consumes with stands in its `event_consumers.py`.
        autodiscover_modules("event_consumers")
