"""Consumer groups and how far they are."""

from datetime import datetime
from typing import Any

import msgspec


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer group: its settings, and how it stands. Durations are seconds.

    Attributes:
        filter: the `types` and `headers` of the events that it is given; None: all of them.
    """

    name: str
    stream: str
    mode: str
    start: str
    ack_wait: int
    max_failures: int
    max_deliveries: int
    backoff: list[int]
    ordering: str
    max_in_flight: int
    paused: bool
    owner: str
    created_at: datetime
    lag: int
    lost: int
    lost_total: int
    filter: dict[str, Any] | None = None


class GroupProgress(Group, frozen=True, kw_only=True):
    """The same with its members, as they called themselves."""

    members: list[dict[str, Any]]


class PartitionProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a group is in one partition."""

    partition: int
    committed_offset: int
    head_offset: int
    earliest_offset: int
    lag: int
    lag_seconds: float | None
    lost: int = 0


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit did: `status` is `committed`, or `outdated` where the group stood further already."""

    partition: int
    committed_offset: int
    status: str


class SeekOfPartition(msgspec.Struct, frozen=True, kw_only=True):
    partition: int
    events_affected: int
    deliveries_fenced: int
    dead_letters_resolved: int
    from_offset: int = msgspec.field(name="from")
    to_offset: int = msgspec.field(name="to")


class Seek(msgspec.Struct, frozen=True, kw_only=True):
    """What a seek did, or would do."""

    is_dry_run: bool = msgspec.field(name="dry_run")
    events_affected: int
    partitions: list[SeekOfPartition] = msgspec.field(name="data")
