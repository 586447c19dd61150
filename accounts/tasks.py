from celery import shared_task
from django.utils import timezone

from accounts.services import sign_in
from accounts.services.idempotency import delete_expired_idempotency_keys as delete_expired


@shared_task(name="accounts.delete_expired_idempotency_keys")
def delete_expired_idempotency_keys() -> int:
    """Delete remembered answers whose 24 hours are over; returns how many went."""
    return delete_expired(now=timezone.now())


@shared_task(name="accounts.delete_expired_tokens")
def delete_expired_tokens() -> int:
    """Forget refresh tokens that nobody can use any more; returns how many went."""
    return sign_in.delete_expired_tokens(now=timezone.now())
