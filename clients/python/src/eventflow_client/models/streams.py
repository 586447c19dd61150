"""Streams, and what a change of one would delete."""

from datetime import datetime
from typing import Any

import msgspec


class Retention(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long events are kept: by seconds, bytes and number, whichever comes first; None: no limit."""

    max_age: int | None = None
    max_bytes: int | None = None
    max_events: int | None = None


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's settings.

    Attributes:
        deduplicate_ids: for how many seconds an id is stored once; None: not looked at.
        engine, capabilities: where its events are appended, and what is promised there beyond the least.
    """

    name: str
    description: str
    partitions: int
    visibility: str
    retention: Retention
    paused: bool
    validation: str = "off"
    deduplicate_ids: int | None = None
    labels: dict[str, str] = {}
    owner: str = ""
    engine: str = "postgres"
    capabilities: list[str] = []
    created_at: datetime
    updated_at: datetime


class RetentionForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of a stream would do, which was not made.

    Attributes:
        events_affected: how many events it would delete.
        is_at_least: there are more of them.
        growth: what more partitions would change, if that was asked for.
    """

    events_affected: int
    is_at_least: bool = msgspec.field(name="at_least", default=False)
    oldest_kept: datetime | None = None
    partitions: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []
    growth: dict[str, Any] | None = None
