"""Keys, who they belong to, and who produces."""

from datetime import datetime
from typing import Any

import msgspec


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    prefix: str
    user: str
    scopes: list[str]
    streams: list[str] | None
    created_at: datetime
    addresses: list[str] | None = None
    last_used_at: datetime | None = None
    last_used_address: str | None = None
    last_used_agent: str | None = None
    touched: list[dict[str, Any]] = []
    expires_at: datetime | None = None
    expires_soon: bool = False
    revoked_at: datetime | None = None


class NewApiKey(ApiKey, frozen=True, kw_only=True):
    """A key with its secret, which is told this once; None in the answer to a retry, which is not told it again."""

    secret: str | None


class User(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    email: str
    name: str
    roles: list[str]


class CallerKey(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    scopes: list[str]
    streams: list[str] | None


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whose credential it is, and what the key may be used for, if it is one.

    Attributes:
        server_version: of the installation; None from one that does not tell it.
    """

    user: User
    api_key: CallerKey | None = None
    server_version: str | None = None


class ProducerKey(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    prefix: str
    scopes: list[str]
    streams: list[str] | None
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class ProducerStream(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    event_count: int
    last_event_at: datetime | None


class Producer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whose role lets them produce: with which keys, to which streams."""

    id: int
    email: str
    name: str
    api_keys: list[ProducerKey]
    streams: list[ProducerStream]
    api_key_count: int = 0
    stream_count: int = 0
