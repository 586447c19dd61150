"""The secrets that webhooks are signed with, and the signature, as Standard Webhooks 1.0 say."""

import base64
import hashlib
import hmac
import secrets

from django.conf import settings

SEED_BYTES = 24
PREFIX = "whsec_"


class SecretChanged(Exception):
    """The secret cannot be made again: `SECRET_KEY` is another one than when the channel was made."""


def make_seed() -> bytes:
    return secrets.token_bytes(SEED_BYTES)


def secret_of(seed: bytes) -> bytes:
    """Return the secret that belongs to a seed: who has the database alone cannot sign."""
    return hmac.digest(settings.SECRET_KEY.encode(), b"eventflow.alerts.webhook:" + seed, hashlib.sha256)


def mark_of(secret: bytes) -> str:
    """Enough of a secret to tell it from another one, and too little to guess it."""
    return hashlib.sha256(b"mark:" + secret).hexdigest()[:8]


def shown(secret: bytes) -> str:
    """A secret as its user keeps it."""
    return PREFIX + base64.b64encode(secret).decode()


def checked_secret(seed: bytes, mark: str) -> bytes:
    """Return the secret of a channel.

    Raises:
        SecretChanged
    """
    secret = secret_of(seed)
    if mark_of(secret) != mark:
        raise SecretChanged
    return secret


def sign(secret: bytes, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return what stands in `webhook-signature`."""
    signed = hmac.digest(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"
