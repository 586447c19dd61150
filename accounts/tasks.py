from celery import shared_task
from django.utils import timezone

from accounts.services import sessions
from accounts.services.idempotency import delete_expired_idempotency_keys as delete_expired


@shared_task(name="accounts.delete_expired_idempotency_keys")
def delete_expired_idempotency_keys() -> int:
    """Delete remembered answers whose 24 hours are over; returns how many went."""
    return delete_expired(now=timezone.now())


@shared_task(name="accounts.delete_expired_sessions")
def delete_expired_sessions() -> int:
    """Forget sessions that nobody can use any more; returns how many went."""
    return sessions.delete_expired_sessions(now=timezone.now())
