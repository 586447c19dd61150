"""`python -m eventflow_site.background.beat --schedule FILE`: sends each tick when it is due, and does nothing else.

It knows tasks by their names alone, so it loads none of them, nor Django's applications, and takes less than half the
memory. What it sends is what Celery's own beat would send: no task has options of its own.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from celery import Celery, signals
from celery.apps.beat import Beat
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")


def make_app() -> Celery:
    """Return a Celery application that sends ticks: the site's settings, and no tasks."""
    # Without Celery's part for Django, which would set it up.
    app = Celery("eventflow", fixups=[])
    app.config_from_object("django.conf:settings", namespace="CELERY")
    return app


def attach_telemetry() -> None:
    """Log, count and report as other processes do."""
    logging = settings.LOGGING
    # Only now: loading the settings makes the directory that counters need.
    from observability.telemetry.attaching import attach
    from observability.telemetry.log_format import configure

    configure(logging)
    # Celery sets up its own where nobody else does.
    signals.setup_logging.connect(_keep_the_sites_logging)
    attach()


def _keep_the_sites_logging(**_signal: Any) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Send ticks until asked to stop by SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m eventflow_site.background.beat", description=__doc__)
    parser.add_argument("--schedule", required=True, help="the file that keeps when each tick was sent last")
    schedule = parser.parse_args(arguments).schedule
    attach_telemetry()
    Beat(app=make_app(), schedule=schedule, loglevel="INFO", quiet=True).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
