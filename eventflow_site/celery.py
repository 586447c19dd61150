"""The Celery application: it carries ticks, never state.

Every periodic task is one idempotent service call, so that a tick that is lost, doubled or killed
half-way does not matter. Timers live in PostgreSQL.
"""

import os
from typing import Any

from celery import Celery, signals
from django_structlog.celery.signals import bind_extra_task_metadata
from django_structlog.celery.steps import DjangoStructLogInitStep
from structlog.contextvars import bind_contextvars

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")

app = Celery("eventflow")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A task's lines carry its id and its name.
app.steps["worker"].add(DjangoStructLogInitStep)


@signals.setup_logging.connect
def keep_the_sites_logging(**_signal: Any) -> None:
    """Keep Celery from setting up logging of its own: the settings have done it."""


def name_the_task(task: Any, **_signal: Any) -> None:
    """Let each line of a task say which one it was, a failure's above all."""
    bind_contextvars(task=task.name)


bind_extra_task_metadata.connect(name_the_task, dispatch_uid="name-the-task")
