"""What the page of keys and producers shows, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.dateparse import parse_datetime

from accounts.caller import Caller
from accounts.models import ApiKey, User
from accounts.queries import list_api_keys
from streams.queries import describe_producers, list_producers
from streams.totals import StreamTotals
from streams.visible import list_streams

# Of each producer, on one page.
LISTED_STREAMS = 20


@dataclass(frozen=True, slots=True)
class Touched:
    """A stream, or a group of it, that a key touched."""

    stream: str
    group: str | None
    at: datetime | None


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
    addresses: tuple[str, ...]
    last_used_at: datetime | None
    last_used_address: str
    last_used_agent: str
    touched: tuple[Touched, ...]
    expires_at: datetime | None
    revoked_at: datetime | None
    is_expired: bool
    expires_soon: bool

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and not self.is_expired


@dataclass(frozen=True, slots=True)
class ProducerRow:
    """A person who produces, with their first streams, and how many more there are."""

    name: str
    email: str
    key_count: int
    streams: Sequence[StreamTotals]
    more_streams: int


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
        scopes=tuple(key.usable_scopes),
        stream_names=tuple(key.stream_names or ()),
        created_at=key.created_at,
        addresses=tuple(key.addresses or ()),
        last_used_at=key.last_used_at,
        last_used_address=key.last_used_address,
        last_used_agent=key.last_used_agent,
        touched=tuple(Touched(each["stream"], each["group"], parse_datetime(each["at"])) for each in key.touched),
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        is_expired=key.expires_at is not None and key.expires_at <= now,
        expires_soon=key.expires_soon(now),
    )


def list_names_of_streams(caller: Caller, *, limit: int = 500) -> list[str]:
    """Return the names of the streams that a key of the caller's could be for."""
    return list(list_streams(caller).order_by("name").values_list("name", flat=True)[:limit])


def list_producer_rows(caller: Caller, *, limit: int = 50) -> list[ProducerRow]:
    """Return the producers that the caller may see: themselves, for an admin everybody whose role lets them produce."""
    users: list[User] = list(list_producers(caller).order_by("email")[:limit])
    return [
        ProducerRow(
            name=producer.user.get_full_name(),
            email=producer.user.email,
            key_count=producer.kept_key_count,
            streams=producer.streams,
            more_streams=producer.stream_count - len(producer.streams),
        )
        for producer in describe_producers(caller, users, most=LISTED_STREAMS)
    ]
