"""What the pages about consumer groups show, as plain values."""

from dataclasses import dataclass
from datetime import datetime

from accounts.caller import Caller
from consumers.models import ConsumerGroup, GroupMember, Mode
from consumers.queries import list_progress, list_visible_groups
from streams.lookup import StreamInfo


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who was seen reading as the group."""

    name: str
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A consumer group in a list."""

    stream: str
    name: str
    mode: str
    is_paused: bool
    lag: int
    member_count: int
    last_seen_at: datetime | None

    @property
    def is_lease_mode(self) -> bool:
        return self.mode == Mode.LEASE


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """How far a group has come in one partition."""

    number: int
    earliest_offset: int
    committed_offset: int
    head_offset: int
    lag: int
    kept: int
    finished: int


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One group with all that its page shows."""

    name: str
    mode: str
    start: str
    is_paused: bool
    ack_wait_seconds: int
    max_failures: int
    backoff_seconds: tuple[int, ...]
    ordering: str
    max_in_flight: int
    created_at: datetime
    partitions: tuple[PartitionRow, ...]
    members: tuple[Member, ...]

    @property
    def is_lease_mode(self) -> bool:
        return self.mode == Mode.LEASE

    @property
    def lag(self) -> int:
        return sum(each.lag for each in self.partitions)


def list_group_rows(
    caller: Caller, *, text: str = "", stream: str = "", after: tuple[str, str] | None = None, limit: int
) -> list[GroupRow]:
    """Return up to `limit` groups that the caller may see, by stream and name, in a constant number of queries."""
    from django.db.models import Q

    groups = list_visible_groups(caller).order_by("stream__name", "name")
    if stream:
        groups = groups.filter(stream__name=stream)
    if text:
        groups = groups.filter(Q(name__contains=text) | Q(stream__name__contains=text))
    if after:
        groups = groups.filter(Q(stream__name__gt=after[0]) | Q(stream__name=after[0], name__gt=after[1]))
    return [_row(group) for group in groups[:limit]]


def describe_group(stream: StreamInfo, group: ConsumerGroup) -> GroupPage:
    """Return all that the page of one group shows."""
    members = GroupMember.objects.filter(group=group).order_by("-last_seen_at")[:50]
    return GroupPage(
        name=group.name,
        mode=group.mode,
        start=group.start,
        is_paused=group.is_paused,
        ack_wait_seconds=group.ack_wait_seconds,
        max_failures=group.max_failures,
        backoff_seconds=tuple(group.backoff_seconds),
        ordering=group.ordering,
        max_in_flight=group.max_in_flight,
        created_at=group.created_at,
        partitions=tuple(
            PartitionRow(
                number=each.partition,
                earliest_offset=each.bounds.earliest_offset,
                committed_offset=each.committed_offset,
                head_offset=each.bounds.head_offset,
                lag=each.lag,
                kept=each.bounds.event_count,
                finished=max(0, each.bounds.event_count - each.lag),
            )
            for each in list_progress(stream, group)
        ),
        members=tuple(Member(member.name, member.last_seen_at) for member in members),
    )


def _row(group: ConsumerGroup) -> GroupRow:
    members = list(group.members.all())
    return GroupRow(
        stream=group.stream.name,
        name=group.name,
        mode=group.mode,
        is_paused=group.is_paused,
        lag=sum(max(0, each.partition.head_offset - each.committed_offset) for each in group.offsets.all()),
        member_count=len(members),
        last_seen_at=max((member.last_seen_at for member in members), default=None),
    )


def list_lagging_groups(caller: Caller, *, limit: int) -> list[GroupRow]:
    """Return the groups that the caller may see with the largest lag, furthest behind first."""
    from django.db.models import F, Sum

    groups = list_visible_groups(caller)
    lag = Sum(F("offsets__partition__head_offset") - F("offsets__committed_offset"))
    return [_row(group) for group in groups.annotate(total_lag=lag).order_by("-total_lag", "pk")[:limit]]
