"""A stream in numbers."""

from datetime import datetime
from typing import Any

import msgspec


class TypeCount(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    events: int
    bytes: int


class GroupStanding(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    mode: str
    lag: int
    lag_seconds: float | None
    in_flight: int
    waiting: int
    dead_letters: int
    missing: int
    lost: int
    lost_total: int
    last_seen_at: datetime | None
    retention_risk_seconds: float | None
    catch_up_seconds: float | None


class MinuteOfStream(msgspec.Struct, frozen=True, kw_only=True):
    minute: datetime
    events: int
    bytes: int


class StreamStats(msgspec.Struct, frozen=True, kw_only=True):
    event_count: int
    stored_bytes: int
    head_offset: int
    earliest_offset: int
    rate_per_second: float
    last_event_at: datetime | None
    types: list[TypeCount]
    consumer_groups: list[GroupStanding]
    series: list[MinuteOfStream]
    not_rolled_up: int = 0
    rolled_up_until: datetime | None = None
    remembered_ids: dict[str, Any] | None = None
