"""Making, rotating and revoking API keys."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit_actions import AuditAction
from accounts.caller import Caller
from accounts.errors import ApiKeyRevoked, FieldFault, UnusableFields
from accounts.key_material import make_key
from accounts.models import ApiKey, User
from accounts.quotas import KEYS, check_quota, quota_of
from accounts.roles import Right, Scope, scopes_of
from accounts.services.audit import record
from accounts.services.authenticate_key import forget_keys

# Each returns those of the names that are no stream that the caller may see: accounts itself knows of no streams.
unknown_streams: Final[list[Callable[[Caller, Collection[str]], set[str]]]] = []


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with the only copy of its secret."""

    key: ApiKey
    secret: str


def create_api_key(
    *,
    user: User,
    name: str,
    scopes: Sequence[Right | Scope],
    stream_names: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    addresses: Sequence[str] | None = None,
) -> NewKey:
    """Make a key for `user`, of scopes and streams that are of use to them.

    Raises:
        UnusableFields, QuotaExceeded
    """
    if faults := find_key_faults(user=user, scopes=scopes, stream_names=stream_names or ()):
        raise UnusableFields(faults)
    if quota_of(KEYS) is not None:
        working = Q(revoked_at__isnull=True) & (Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()))
        check_quota(KEYS, owner=user.email, used=user.api_keys.filter(working).count())
    with transaction.atomic():
        new = issue_api_key(
            user=user, name=name, scopes=scopes, stream_names=stream_names, expires_at=expires_at, addresses=addresses
        )
        record(AuditAction.KEY_CREATED, target=str(new.key), after=_told(new.key))
    return new


def _told(key: ApiKey) -> dict[str, object]:
    """What the audit trail says of a key."""
    return {
        "id": key.key_id,
        "user": key.user.email,
        "scopes": key.scopes,
        "streams": key.stream_names,
        "addresses": key.addresses,
        "expires_at": key.expires_at,
    }


def find_key_faults(
    *, user: User, scopes: Sequence[Right | Scope], stream_names: Sequence[str] = ()
) -> list[FieldFault]:
    """Return what of a key would be of no use to `user`: scopes beyond their roles, streams that they cannot see.

    A stream that is hidden from them and one that does not exist look the same.
    """
    allowed = scopes_of(user.roles)
    caller = user.as_caller()
    unknown = {name for find in unknown_streams for name in find(caller, stream_names)} if stream_names else set()
    faults = [
        FieldFault(f"/scopes/{index}", "scope_beyond_role", f"{user.email} has no role that may use the scope {scope}.")
        for index, scope in enumerate(scopes)
        if Scope(scope) not in allowed
    ]
    return faults + [
        FieldFault(f"/streams/{index}", "stream_not_found", f"There is no stream {name} that {user.email} may see.")
        for index, name in enumerate(stream_names)
        if name in unknown
    ]


def issue_api_key(
    *,
    user: User,
    name: str,
    scopes: Sequence[Right | Scope],
    stream_names: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    addresses: Sequence[str] | None = None,
) -> NewKey:
    """Make a key without asking whether it is of use; what it may do is cut down by its user's rights at each use."""
    secret, material = make_key()
    key = ApiKey.objects.create(
        key_id=material.key_id,
        user=user,
        name=name,
        prefix=material.prefix,
        secret_hash=material.secret_hash,
        scopes=sorted({str(Scope(scope)) for scope in scopes}),
        stream_names=sorted(set(stream_names)) if stream_names else None,
        expires_at=expires_at,
        addresses=list(dict.fromkeys(addresses)) if addresses else None,
    )
    return NewKey(key, secret)


@transaction.atomic
def rotate_api_key(*, key: ApiKey, overlap_seconds: int, now: datetime) -> NewKey:
    """Make a successor with the same rights; the old key goes on working for the overlap, then ends.

    Scopes that the user's roles no longer allow are not handed on: they do not come back with the role.

    Raises:
        ApiKeyRevoked: it was revoked, has expired or may do nothing any more, so there is nothing to hand over.
    """
    scopes = key.usable_scopes
    if not scopes:
        raise ApiKeyRevoked("The roles of the key's user allow none of its scopes any more: create a new one.")
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
    new = issue_api_key(
        user=key.user,
        name=key.name,
        scopes=scopes,
        stream_names=key.stream_names,
        expires_at=successor_expires_at,
        addresses=key.addresses,
    )
    record(AuditAction.KEY_ROTATED, target=str(key), before={"id": key.key_id}, after=_told(new.key))
    return new


@transaction.atomic
def revoke_api_key(*, key: ApiKey, now: datetime) -> None:
    """Refuse a key from now on, within a second on every worker; revoking twice is harmless."""
    if ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
        record(AuditAction.KEY_REVOKED, target=str(key), before=_told(key))
    transaction.on_commit(forget_keys)
