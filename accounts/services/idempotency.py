"""The memory behind `Idempotency-Key`, for requests that do their work in Django's transaction.

Appends keep theirs in the log's own transaction (streams/log): same table, same rules.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.utils import OperationalError
from django.utils import timezone

from accounts.conf import EXPIRED_STEP_ROWS, IDEMPOTENCY_TTL_SECONDS
from accounts.errors import IdempotencyInProgress, IdempotencyKeyReused
from accounts.idempotency import pack_body, unpack_body
from accounts.models import IdempotencyRecord
from accounts.statements import run

_LOCK_NOT_AVAILABLE = "55P03"
# How long a request waits for the first one with its key.
_LOCK_WAIT = "2s"
UNDER_WAY = "The first request with this key has not ended. Retry in a moment."


@dataclass(frozen=True, slots=True)
class Replay:
    """The answer to the first request with a key."""

    status: int
    body: bytes


def claim_idempotency_key(*, caller: str, key: str, request_hash: bytes) -> Replay | None:
    """Claim a key for this transaction, or return the answer that was given to it before.

    Raises:
        IdempotencyKeyReused: it was used with another request.
        IdempotencyInProgress: another request with it is still under way.
    """
    now = timezone.now()
    try:
        run("limit_lock_wait", timeout=_LOCK_WAIT)
        claimed = run(
            "claim_idempotency_key",
            caller=caller,
            key=key,
            request_hash=request_hash,
            created_at=now,
            expires_at=now + timedelta(seconds=IDEMPOTENCY_TTL_SECONDS),
        )
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise IdempotencyInProgress(UNDER_WAY) from error
        raise
    if claimed:
        return None
    return find_answer(caller=caller, key=key, request_hash=request_hash)


def find_answer(*, caller: str, key: str, request_hash: bytes) -> Replay | None:
    """Return the answer that a request with this key got, if it was this request and is remembered.

    Raises:
        IdempotencyKeyReused: the key was used with another request.
        IdempotencyInProgress: this request is not complete: it appends to an engine beside the database.
    """
    record = IdempotencyRecord.objects.filter(caller=caller, key=key).first()
    if record is None:
        return None
    if bytes(record.request_hash) != request_hash:
        raise IdempotencyKeyReused("Use a new key for a new request; retry with the same body.")
    if record.status is None:
        raise IdempotencyInProgress(UNDER_WAY)
    return Replay(status=record.status, body=unpack_body(bytes(record.body or b"")))


def keep_answer(*, caller: str, key: str, status: int, body: bytes) -> None:
    """Remember the answer under a key that this transaction has claimed."""
    IdempotencyRecord.objects.filter(caller=caller, key=key).update(status=status, body=pack_body(body))


def delete_expired_idempotency_keys(*, now: datetime, limit: int = EXPIRED_STEP_ROWS) -> int:
    """Delete up to `limit` records whose time is up; return how many went."""
    expired = IdempotencyRecord.objects.filter(expires_at__lte=now).order_by("expires_at").values("pk")[:limit]
    return IdempotencyRecord.objects.filter(pk__in=expired).delete()[0]
