"""Which caller an API key stands for."""

import hmac

from accounts.caller import Caller
from accounts.conf import KEY_CACHE_SECONDS, KEY_CACHE_SIZE
from accounts.errors import InvalidCredentials
from accounts.key_material import KeyMaterial, parse_key
from accounts.roles import roles_named, usable_scopes
from accounts.short_memory import ShortMemory
from accounts.statements import run

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
    # One statement, and nothing of Django's models: each key in use is asked for twice a second by every process.
    rows = run("caller_of_key", key_id=material.key_id)
    # An unknown id takes the same comparison as a known one.
    expected = rows[0][0] if rows else _DUMMY_HASH
    if not hmac.compare_digest(expected, material.secret_hash) or not rows:
        raise InvalidCredentials(_REFUSED)
    _, is_usable, user_id, email, is_superuser, groups, team_ids, scopes, stream_names, addresses = rows[0]
    if not is_usable:
        raise InvalidCredentials(_REFUSED)
    roles = roles_named(groups, is_superuser=is_superuser)
    return Caller(
        user_id=user_id,
        email=email,
        roles=roles,
        key_id=material.key_id,
        scopes=frozenset(usable_scopes(scopes, roles)),
        stream_names=None if stream_names is None else frozenset(stream_names),
        team_ids=frozenset(team_ids),
        addresses=None if addresses is None else tuple(addresses),
    )
