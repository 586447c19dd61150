"""What the page of keys and producers shows, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.caller import Caller
from accounts.models import ApiKey, User
from accounts.queries import list_api_keys
from streams.queries import describe_producers, list_producers
from streams.totals import StreamTotals


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as far as it may be shown."""

    id: str
    name: str
    prefix: str
    owner: str
    scopes: tuple[str, ...]
    stream_names: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    is_expired: bool

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and not self.is_expired


@dataclass(frozen=True, slots=True)
class ProducerRow:
    """A person who produces, with their streams."""

    name: str
    email: str
    key_count: int
    streams: Sequence[StreamTotals]


def list_key_rows(caller: Caller, *, now: datetime, limit: int = 200) -> list[KeyRow]:
    """Return the keys that the caller may see, usable ones first, then the newest."""
    keys = list(list_api_keys(caller).order_by("-created_at")[:limit])
    rows = [view_key(key, now) for key in keys]
    return sorted(rows, key=lambda row: not row.is_usable)


def view_key(key: ApiKey, now: datetime) -> KeyRow:
    """Return a key as far as it may be shown."""
    return KeyRow(
        id=key.key_id,
        name=key.name,
        prefix=key.prefix,
        owner=key.user.email,
        scopes=tuple(key.scopes),
        stream_names=tuple(key.stream_names or ()),
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        is_expired=key.expires_at is not None and key.expires_at <= now,
    )


def list_producer_rows(caller: Caller, *, limit: int = 50) -> list[ProducerRow]:
    """Return the producers that the caller may see: themselves, for an admin everybody who produces."""
    users: list[User] = list(list_producers(caller).order_by("email")[:limit])
    return [
        ProducerRow(
            name=producer.user.get_full_name(),
            email=producer.user.email,
            key_count=sum(key.revoked_at is None for key in producer.api_keys),
            streams=producer.streams,
        )
        for producer in describe_producers(caller, users)
    ]
