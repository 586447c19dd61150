from datetime import timedelta
from functools import partial

from celery import shared_task
from django.utils import timezone

from accounts.database_clock import database_time
from accounts.steps import repeat_while_full
from observability.alerts import evaluating, sending
from observability.conf import (
    ALERT_SEND_TICK_SECONDS,
    ALERTS_DELETE_ROWS,
    ALERTS_DELETE_SECONDS,
    ALERTS_KEEP_SECONDS,
    ROLLUP_DELETE_ROWS,
    ROLLUP_DELETE_SECONDS,
    ROLLUP_TICK_SECONDS,
)
from observability.numbers import rollups
from observability.numbers.disk import sampling
from observability.numbers.rejections import delete_old_rejections
from observability.operations.simulations.services import drive_simulations as drive
from observability.telemetry import heartbeat


@shared_task(name="observability.roll_up")
def roll_up() -> int:
    """Count what the log has gained; returns how many events were counted."""
    return rollups.roll_up(seconds=ROLLUP_TICK_SECONDS)


@shared_task(name="observability.record_groups")
def record_groups() -> None:
    """Write down where every group stands this minute."""
    rollups.record_groups(now=timezone.now())


@shared_task(name="observability.delete_old_rollups")
def delete_old_rollups() -> int:
    """Delete roll-ups older than 30 days; returns how many rows went."""
    step = partial(rollups.delete_old_rollups, now=database_time())
    return repeat_while_full(step, full=ROLLUP_DELETE_ROWS, seconds=ROLLUP_DELETE_SECONDS)


@shared_task(name="observability.record_tick")
def record_tick() -> int:
    """Show that beat, broker and worker are alive."""
    heartbeat.record_tick(now=timezone.now())
    return 1


@shared_task(name="observability.sample_disk")
def sample_disk() -> int:
    """Write down how full the disk is; returns 1, or 0 if nobody said which disk it is."""
    return sampling.sample_disk(now=timezone.now())


@shared_task(name="observability.drive_simulations")
def drive_simulations() -> int:
    """Send what is due of the running simulations; returns how many events were sent."""
    return drive(now=timezone.now())


@shared_task(name="observability.look_at_alert_rules")
def look_at_alert_rules() -> int:
    """See which alerts fire, repeat and end; returns how many did."""
    return evaluating.evaluate_rules()


@shared_task(name="observability.delete_old_alerts")
def delete_old_alerts() -> int:
    """Delete alerts that ended more than 30 days ago, and old counts of refusals; returns how many rows went."""
    now = database_time()
    before = now - timedelta(seconds=ALERTS_KEEP_SECONDS)
    step = partial(evaluating.delete_old_alerts, before=before, limit=ALERTS_DELETE_ROWS)
    return delete_old_rejections(now=now) + repeat_while_full(
        step, full=ALERTS_DELETE_ROWS, seconds=ALERTS_DELETE_SECONDS
    )


@shared_task(name="observability.send_alert_messages")
def send_alert_messages() -> int:
    """Send the messages about alerts that are due; returns how many were sent."""
    return sending.send_due(seconds=ALERT_SEND_TICK_SECONDS)
