"""What the pages about consumer groups show, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Q, QuerySet, Sum

from accounts.caller import Caller
from consumers.errors import ConsumerGroupNotFound
from consumers.models import ConsumerGroup, DeadLetter, Delivery, GroupMember, Mode
from consumers.queries import list_deliveries, list_progress, list_visible_groups
from observability.numbers.lanes import load_lanes
from observability.numbers.standings import GroupStanding, list_standings
from streams.log import get_log
from streams.log.protocol import PartitionRef
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
    lag_seconds: float | None
    in_flight: int
    waiting: int
    dead_letters: int
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
    lag_seconds: float | None
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
    standing: GroupStanding
    partitions: tuple[PartitionRow, ...]
    members: tuple[Member, ...]

    @property
    def is_lease_mode(self) -> bool:
        return self.mode == Mode.LEASE

    @property
    def lag(self) -> int:
        return sum(each.lag for each in self.partitions)


def list_group_rows(
    caller: Caller, *, now: datetime, text: str = "", stream: str = "", after: tuple[str, str] | None = None, limit: int
) -> list[GroupRow]:
    """Return up to `limit` groups that the caller may see, by stream and name, in a constant number of queries."""
    groups = list_visible_groups(caller).order_by("stream__name", "name")
    if stream:
        groups = groups.filter(stream__name=stream)
    if text:
        groups = groups.filter(Q(name__contains=text) | Q(stream__name__contains=text))
    if after:
        groups = groups.filter(Q(stream__name__gt=after[0]) | Q(stream__name=after[0], name__gt=after[1]))
    return _rows(groups[:limit], now)


def describe_group(stream: StreamInfo, group: ConsumerGroup, *, now: datetime) -> GroupPage:
    """Return all that the page of one group shows, in a constant number of queries.

    Raises:
        ConsumerGroupNotFound: it was deleted just now.
    """
    lanes = load_lanes(stream_id=stream.id, now=now)
    standings = list_standings(lanes, stream_id=stream.id, now=now)
    standing = next((each for each in standings if each.id == group.pk), None)
    if standing is None:
        raise ConsumerGroupNotFound
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
        standing=standing,
        partitions=tuple(
            PartitionRow(
                number=each.partition,
                earliest_offset=each.bounds.earliest_offset,
                committed_offset=each.committed_offset,
                head_offset=each.bounds.head_offset,
                lag=each.lag,
                lag_seconds=each.lag_seconds,
                kept=each.bounds.event_count,
                finished=max(0, each.bounds.event_count - each.lag),
            )
            for each in list_progress(stream, group)
        ),
        members=tuple(Member(member.name, member.last_seen_at) for member in members),
    )


def list_lagging_groups(caller: Caller, *, now: datetime, limit: int) -> list[GroupRow]:
    """Return the groups that the caller may see with the largest lag, furthest behind first."""
    groups = list_visible_groups(caller)
    lag = Sum(F("offsets__partition__head_offset") - F("offsets__committed_offset"))
    return _rows(groups.annotate(total_lag=lag).order_by("-total_lag", "pk")[:limit], now)


@dataclass(frozen=True, slots=True)
class _Counts:
    """What of each group is under way or was given up, by group id."""

    in_flight: dict[int, int]
    waiting: dict[int, int]
    dead_letters: dict[int, int]


def _counts(group_ids: Sequence[int]) -> _Counts:
    sizes = Delivery.objects.filter(group_id__in=group_ids).order_by().values("group_id", "state")
    events = {
        (row["group_id"], row["state"]): row["events"]
        for row in sizes.annotate(events=Sum(F("last_offset") - F("first_offset") + 1))
    }
    dead = DeadLetter.objects.filter(group_id__in=group_ids, status="open").order_by().values("group_id")
    return _Counts(
        in_flight={pk: events.get((pk, "leased"), 0) for pk in group_ids},
        waiting={pk: events.get((pk, "waiting"), 0) for pk in group_ids},
        dead_letters={row["group_id"]: row["letters"] for row in dead.annotate(letters=Count("pk"))},
    )


def _rows(groups: QuerySet[ConsumerGroup], now: datetime) -> list[GroupRow]:
    """Return groups as rows of a list, in a constant number of queries."""
    found = list(groups)
    counts = _counts([group.pk for group in found])
    since = _first_unread(found)
    return [_row(group, counts, since.get(group.pk), now) for group in found]


def _first_unread(groups: Sequence[ConsumerGroup]) -> dict[int, datetime]:
    """Return when each group's first unfinished event was recorded, by group id."""
    positions = [
        (group.pk, PartitionRef(each.partition_id, group.stream.name, each.partition.number), each.committed_offset)
        for group in groups
        for each in group.offsets.all()
        if each.committed_offset < each.partition.head_offset
    ]
    if not positions:
        return {}
    moments = get_log().recorded_after([(ref, offset) for _, ref, offset in positions])
    since: dict[int, datetime] = {}
    for (pk, _, _), moment in zip(positions, moments, strict=True):
        if moment is not None:
            since[pk] = min(moment, since.get(pk, moment))
    return since


def _row(group: ConsumerGroup, counts: _Counts, since: datetime | None, now: datetime) -> GroupRow:
    members = list(group.members.all())
    return GroupRow(
        stream=group.stream.name,
        name=group.name,
        mode=group.mode,
        is_paused=group.is_paused,
        lag=sum(max(0, each.partition.head_offset - each.committed_offset) for each in group.offsets.all()),
        lag_seconds=max(0.0, (now - since).total_seconds()) if since else None,
        in_flight=counts.in_flight[group.pk],
        waiting=counts.waiting[group.pk],
        dead_letters=counts.dead_letters.get(group.pk, 0),
        member_count=len(members),
        last_seen_at=max((member.last_seen_at for member in members), default=None),
    )


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery that is under way or waits for its next attempt."""

    partition: int
    first_offset: int
    last_offset: int
    state: str
    delivery_count: int
    failure_count: int
    leased_by: str
    lease_expires_at: datetime | None
    available_at: datetime | None
    last_error: str
    is_redrive: bool


def list_delivery_rows(group: ConsumerGroup, *, limit: int) -> list[DeliveryRow]:
    """Return the oldest deliveries that a lease-mode group has not finished."""
    return [
        DeliveryRow(
            partition=each.partition.number,
            first_offset=each.first_offset,
            last_offset=each.last_offset,
            state=each.state,
            delivery_count=each.delivery_count,
            failure_count=each.failure_count,
            leased_by=each.leased_by,
            lease_expires_at=each.lease_expires_at,
            available_at=each.available_at,
            last_error=each.last_error,
            is_redrive=each.dead_letter_id is not None,
        )
        for each in list_deliveries(group).order_by("pk")[:limit]
    ]
