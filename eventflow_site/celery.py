"""The Celery application: it carries ticks, never state.

Every periodic task is one idempotent service call, so that a tick that is lost, doubled or killed
half-way does not matter. Timers live in PostgreSQL.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")

app = Celery("eventflow")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
