"""The ticks of lease mode: each is one idempotent service call (consumers/services/reconcile.py)."""

from celery import shared_task
from django.utils import timezone

from consumers.services.dead_letters.bulk import continue_bulk_actions
from consumers.services.reconcile import reconcile_deliveries, tidy_up
from consumers.services.unfinished_sightings import look_at_unfinished


@shared_task(name="consumers.move_exhausted_deliveries")
def move_exhausted_deliveries() -> int:
    return reconcile_deliveries()


@shared_task(name="consumers.continue_bulk_actions")
def continue_bulk_dead_letter_actions() -> int:
    return continue_bulk_actions()


@shared_task(name="consumers.tidy_up")
def tidy_up_lease_mode() -> int:
    return tidy_up()


@shared_task(name="consumers.look_at_unfinished")
def look_at_unfinished_events() -> int:
    """Write down how old what is unfinished in other engines is; returns of how many groups' partitions."""
    return look_at_unfinished(now=timezone.now())
