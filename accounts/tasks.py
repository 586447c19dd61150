from functools import partial

from celery import shared_task

from accounts.conf import EXPIRED_STEP_ROWS, EXPIRED_TICK_SECONDS
from accounts.database_clock import database_time
from accounts.services import sessions
from accounts.services.idempotency import delete_expired_idempotency_keys as delete_expired
from accounts.steps import repeat_while_full


@shared_task(name="accounts.delete_expired_idempotency_keys")
def delete_expired_idempotency_keys() -> int:
    """Delete remembered answers whose 24 hours are over; returns how many went."""
    step = partial(delete_expired, now=database_time())
    return repeat_while_full(step, full=EXPIRED_STEP_ROWS, seconds=EXPIRED_TICK_SECONDS)


@shared_task(name="accounts.delete_expired_sessions")
def delete_expired_sessions() -> int:
    """Forget sessions that nobody can use any more; returns how many went."""
    step = partial(sessions.delete_expired_sessions, now=database_time())
    return repeat_while_full(step, full=EXPIRED_STEP_ROWS, seconds=EXPIRED_TICK_SECONDS)
