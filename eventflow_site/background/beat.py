"""`python -m eventflow_site.background.beat --schedule FILE`: sends each tick when it is due, and does nothing else.

It knows tasks by their names alone, so it loads none of them, nor Django's applications, and takes less than half the
memory. What it sends is what Celery's own beat would send: no task has options of its own. But with no worker to take
them ticks do not pile up.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from celery import Celery, signals
from celery.apps.beat import Beat
from celery.beat import PersistentScheduler, ScheduleEntry
from django.conf import settings
from kombu.messaging import Producer

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")

logger = logging.getLogger("eventflow.beat")
# A few minutes of ticks. Nobody takes them any more: those of a day would fill the broker's memory.
MOST_WAITING: Final = 1_000


class Ticks(PersistentScheduler):
    """Sends what is due, unless so many ticks wait already that there is no worker: the next ones do the same work."""

    is_backed_up = False

    def tick(self, *arguments: Any, **named: Any) -> float:
        """Send what is due by the clock, also by one that was set back: else nothing was due until it has caught up."""
        now = self.app.now()
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at > now]
        if ahead:
            for entry in ahead:
                entry.last_run_at = now
            self.populate_heap()
        return super().tick(*arguments, **named)

    def apply_entry(self, entry: ScheduleEntry, producer: Producer | None = None) -> None:
        was_backed_up, self.is_backed_up = self.is_backed_up, self._count_waiting(producer) >= MOST_WAITING
        if not self.is_backed_up:
            super().apply_entry(entry, producer=producer)
        elif not was_backed_up:
            logger.warning("%d ticks wait and no worker takes them: no more are sent until one does", MOST_WAITING)

    def _count_waiting(self, producer: Producer | None) -> int:
        if producer is None:
            return 0
        queue = self.app.conf.task_default_queue
        try:
            return int(producer.channel.queue_declare(queue, passive=True).message_count)
        except Exception:  # noqa: BLE001 (kombu's transports raise what they like; whoever sends meets it again, and says so)
            # There is no such queue before the first tick, either.
            return 0


def make_app() -> Celery:
    """Return a Celery application that sends ticks: the site's settings, and no tasks."""
    # Without Celery's part for Django, which would set it up.
    app = Celery("eventflow", fixups=[])
    app.config_from_object("django.conf:settings", namespace="CELERY")
    return app


def attach_telemetry() -> None:
    """Log, count and report as other processes do."""
    wanted = settings.LOGGING
    # Only now: loading the settings makes the directory that counters need.
    from observability.telemetry.attaching import attach
    from observability.telemetry.log_format import configure

    configure(wanted)
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
    Beat(app=make_app(), schedule=schedule, scheduler_cls=Ticks, loglevel="INFO", quiet=True).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
