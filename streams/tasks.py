from celery import shared_task
from django.utils import timezone

from accounts.conf import IDEMPOTENCY_TTL_SECONDS
from accounts.database_clock import database_time
from streams.conf import MERGE_TICK_SECONDS
from streams.log import engine_aliases
from streams.services import merging
from streams.services.engine_watch import look_after_engines
from streams.services.foreign_ends import look_at_ends
from streams.services.limits_by_bytes import tell_limits_by_bytes
from streams.services.mirroring import running
from streams.services.moving.asking import reopen_after_aborted_moves
from streams.services.moving.leftovers import forget_empty_stretches
from streams.services.moving.steps import carry_on_moves as carry_on
from streams.services.places import clear_places
from streams.services.quarantine import look_at_topics
from streams.services.receipts import forget_unfinished
from streams.services.remembered_ids import forget_passed_ids as forget_passed
from streams.services.retention import delete_expired_events as delete_expired


@shared_task(name="streams.delete_expired_events")
def delete_expired_events() -> int:
    """Delete the events that retention no longer keeps; returns how many went."""
    return delete_expired(now=database_time())


@shared_task(name="streams.forget_passed_ids")
def forget_passed_ids() -> int:
    """Forget the ids of events whose window has passed; returns how many went."""
    return forget_passed(now=database_time())


@shared_task(name="streams.look_at_engines")
def look_at_engines() -> int:
    """Let the counters of partitions in other engines follow what is there; returns of how many the head moved."""
    # First: of a topic that is another one now nothing is to be believed.
    look_at_topics(now=timezone.now())
    return look_at_ends()


@shared_task(name="streams.look_after_engines")
def look_after_topics() -> int:
    """Tell the topics of other engines what they keep, and write down what is wrong with them; returns how much is."""
    tell_limits_by_bytes()
    return look_after_engines(now=timezone.now())


@shared_task(name="streams.clear_engines")
def clear_engines() -> int:
    """Drop what is left in other engines of streams that are gone; returns how many places were cleared."""
    now = timezone.now()
    forget_unfinished(older_than_seconds=IDEMPOTENCY_TTL_SECONDS, now=now)
    if engine_aliases():
        forget_empty_stretches(now=now)
    return clear_places(now=now)


@shared_task(name="streams.carry_on_moves")
def carry_on_moves() -> int:
    """Go on with moves of streams that nobody works at; returns how many have ended by that."""
    if not engine_aliases():
        return 0
    reopen_after_aborted_moves()
    return carry_on()


@shared_task(name="streams.merge_small_batches")
def merge_small_batches() -> int:
    """Make full batches of small ones; returns how many went."""
    return merging.merge_small_batches(now=database_time(), seconds=MERGE_TICK_SECONDS)


@shared_task(name="streams.run_mirrors")
def run_mirrors() -> int:
    """Have this worker copy the mirrors that nobody copies; returns how many it took."""
    return running.run_mirrors()
