from celery import shared_task
from django.utils import timezone

from observability.conf import ROLLUP_TICK_SECONDS
from observability.numbers import rollups
from observability.numbers.disk import sampling
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
    return rollups.delete_old_rollups(now=timezone.now())


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
