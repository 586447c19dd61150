"""Making, rotating and revoking API keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from accounts.errors import ApiKeyRevoked
from accounts.key_material import make_key
from accounts.models import ApiKey, User
from accounts.roles import Right
from accounts.services.authenticate_key import forget_keys


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with the only copy of its secret."""

    key: ApiKey
    secret: str


def create_api_key(
    *,
    user: User,
    name: str,
    scopes: Sequence[Right],
    stream_names: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    addresses: Sequence[str] | None = None,
) -> NewKey:
    """Make a key for `user`; what it may really do is cut down by the user's own rights at each use."""
    secret, material = make_key()
    key = ApiKey.objects.create(
        key_id=material.key_id,
        user=user,
        name=name,
        prefix=material.prefix,
        secret_hash=material.secret_hash,
        scopes=sorted({str(Right(scope)) for scope in scopes}),
        stream_names=sorted(set(stream_names)) if stream_names else None,
        expires_at=expires_at,
        addresses=list(dict.fromkeys(addresses)) if addresses else None,
    )
    return NewKey(key, secret)


@transaction.atomic
def rotate_api_key(*, key: ApiKey, overlap_seconds: int, now: datetime) -> NewKey:
    """Make a successor with the same rights; the old key goes on working for the overlap, then ends.

    Raises:
        ApiKeyRevoked: it was revoked or has expired, so there is nothing to hand over.
    """
    end = now + timedelta(seconds=overlap_seconds)
    still_valid = ApiKey.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now), pk=key.pk, revoked_at__isnull=True
    )
    successor_expires_at = key.expires_at
    if overlap_seconds:
        ended = still_valid.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=end)).update(expires_at=end)
        ended = ended or still_valid.exists()
    else:
        ended = still_valid.update(revoked_at=now)
    if not ended:
        raise ApiKeyRevoked("A key that was revoked or has expired cannot be rotated: create a new one.")
    transaction.on_commit(forget_keys)
    return create_api_key(
        user=key.user,
        name=key.name,
        scopes=[Right(scope) for scope in key.scopes],
        stream_names=key.stream_names,
        expires_at=successor_expires_at,
        addresses=key.addresses,
    )


def revoke_api_key(*, key: ApiKey, now: datetime) -> None:
    """Refuse a key from now on, within a second on every worker; revoking twice is harmless."""
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now)
    transaction.on_commit(forget_keys)
