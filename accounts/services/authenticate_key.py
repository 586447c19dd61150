"""Which caller an API key stands for."""

import hmac

from django.utils import timezone

from accounts.caller import Caller
from accounts.conf import KEY_CACHE_SECONDS, KEY_CACHE_SIZE
from accounts.errors import InvalidCredentials
from accounts.key_material import KeyMaterial, parse_key
from accounts.models import ApiKey
from accounts.short_memory import ShortMemory

_REFUSED = "The API key is not valid, has expired or was revoked."
_DUMMY_HASH = bytes(32)
# By the full hash, not the id: a wrong secret never meets a remembered answer.
_memory: ShortMemory[bytes, Caller] = ShortMemory(seconds=KEY_CACHE_SECONDS, size=KEY_CACHE_SIZE)


def authenticate_key(text: str) -> Caller:
    """Return the caller that holds this key; a revoked key is refused within a second everywhere.

    Raises:
        InvalidCredentials: malformed (found without a query), unknown, wrong secret, expired, revoked, or
            its user is disabled: one answer for all of them.
    """
    material = _read(text)
    return _memory.get(material.secret_hash, lambda: _load_caller(material))


async def authenticate_key_async(text: str) -> Caller:
    """Do what `authenticate_key` does, and let the event loop go on meanwhile."""
    material = _read(text)
    return await _memory.get_async(material.secret_hash, lambda: _load_caller(material))


def forget_keys() -> None:
    """Drop what this process remembers, so that a revocation made here counts here at once."""
    _memory.forget()


def _read(text: str) -> KeyMaterial:
    material = parse_key(text)
    if material is None:
        raise InvalidCredentials("The API key is malformed. A key looks like evf_live_….")
    return material


def _load_caller(material: KeyMaterial) -> Caller:
    now = timezone.now()
    key = ApiKey.objects.select_related("user").filter(key_id=material.key_id).first()
    # An unknown id takes the same comparison as a known one.
    expected = bytes(key.secret_hash) if key else _DUMMY_HASH
    if not hmac.compare_digest(expected, material.secret_hash) or key is None:
        raise InvalidCredentials(_REFUSED)
    if (
        not key.user.is_active
        or (key.revoked_at and key.revoked_at <= now)
        or (key.expires_at and key.expires_at <= now)
    ):
        raise InvalidCredentials(_REFUSED)
    return Caller(
        user_id=key.user_id,
        email=key.user.email,
        roles=key.user.roles,
        key_id=key.key_id,
        scopes=frozenset(key.usable_scopes),
        stream_names=None if key.stream_names is None else frozenset(key.stream_names),
        team_ids=key.user.team_ids,
        addresses=None if key.addresses is None else tuple(key.addresses),
    )
