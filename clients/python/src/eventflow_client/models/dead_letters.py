"""Events that groups gave up on, and what is done with them."""

from datetime import datetime
from typing import Any

import msgspec

from .events import Event


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    outcome: str
    consumer: str
    leased_at: datetime
    ended_at: datetime
    error: str


class Redrive(msgspec.Struct, frozen=True, kw_only=True):
    round: int
    requested_by: str
    requested_at: datetime
    note: str
    outcome: str
    ended_at: datetime | None
    edited: bool
    difference: list[dict[str, Any]]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter; `event`, `attempts` and `redrives` are there if it was asked for by its id."""

    id: int
    stream: str
    group: str
    partition: int
    offset: int
    round: int
    status: str
    reason: str
    event_id: str
    event_type: str
    event_key: str | None
    delivery_count: int
    failure_count: int
    last_error: str
    error_fingerprint: str
    reported_by: str
    reported_copy: bool
    created_at: datetime
    closed_at: datetime | None
    closed_by: str
    note: str
    event: Event | None = None
    attempts: list[Attempt] = []
    redrives: list[Redrive] = []


class BulkPreview(msgspec.Struct, frozen=True, kw_only=True):
    """How many dead letters a filter finds now."""

    count: int
    is_exact: bool
    first_id: int | None
    last_id: int | None
    first_at: datetime | None
    last_at: datetime | None


class BulkAction(msgspec.Struct, frozen=True, kw_only=True):
    """A redrive or discard of many, and how far it has come."""

    id: int
    kind: str
    filter: dict[str, Any]
    note: str
    requested_by: str
    status: str
    per_second: int | None
    total_count: int
    is_total_exact: bool
    done_count: int
    created_at: datetime
    finished_at: datetime | None
    cancelled_at: datetime | None
    cancelled_by: str
