"""The Celery application: it carries ticks, never state.

Every periodic task is one idempotent service call, so that a tick that is lost, doubled or killed
half-way does not matter. Timers live in PostgreSQL.
"""

import os
from typing import Any

from celery import Celery, signals
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")

app = Celery("eventflow")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A task's lines carry its id, and the id of the request that started it.
app.steps["worker"].add(DjangoStructLogInitStep)


@signals.setup_logging.connect
def keep_the_sites_logging(**_signal: Any) -> None:
    """Keep Celery from setting up logging of its own: the settings have done it."""
