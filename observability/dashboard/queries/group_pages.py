"""What the pages about consumer groups show, as plain values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.caller import Caller
from consumers.access import GroupRight
from consumers.errors import ConsumerGroupNotFound
from consumers.group_standings import GroupStanding, list_standings
from consumers.models import ConsumerGroup, GroupMember, Mode
from consumers.progress_queries import Loss, by_lag, list_losses, that_lost
from consumers.queries import list_groups, list_visible_groups, rights_on
from observability.numbers.holdings import load_holdings
from observability.numbers.outlook import Outlook, list_group_numbers
from streams.lookup import StreamInfo


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who was seen reading as the group."""

    name: str
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One group with all that its page shows, and what this caller may do with it."""

    name: str
    owner: str
    rights: frozenset[GroupRight]
    mode: str
    start: str
    is_paused: bool
    ack_wait_seconds: int
    max_failures: int
    backoff_seconds: tuple[int, ...]
    ordering: str
    max_in_flight: int
    filter: dict[str, Any] | None
    created_at: datetime
    standing: GroupStanding
    outlook: Outlook
    losses: tuple[Loss, ...]
    members: tuple[Member, ...]

    @property
    def may_use(self) -> bool:
        return GroupRight.USE in self.rights

    @property
    def may_manage(self) -> bool:
        return GroupRight.MANAGE in self.rights

    @property
    def is_lease_mode(self) -> bool:
        return self.mode == Mode.LEASE


def list_group_rows(
    caller: Caller, *, now: datetime, text: str = "", stream: str = "", after: tuple[str, str] | None = None, limit: int
) -> list[GroupStanding]:
    """Return up to `limit` groups that the caller may see, by stream and name, in a constant number of queries."""
    groups = list_visible_groups(caller).order_by("stream__name", "name")
    if stream:
        groups = groups.filter(stream__name=stream)
    if text:
        part = text.lower()
        groups = groups.filter(Q(name__contains=part) | Q(stream__name__contains=part))
    if after:
        groups = groups.filter(Q(stream__name__gt=after[0]) | Q(stream__name=after[0], name__gt=after[1]))
    return list_standings(groups[:limit], now=now)


def list_groups_of_note(
    caller: Caller, *, now: datetime, limit: int
) -> tuple[list[GroupStanding], list[GroupStanding]]:
    """Return the groups that are furthest behind, and those that lost something which nobody has acknowledged.

    They are up to `limit` groups that the caller may see, and one more of the second, which says that there are more.
    """
    visible = list_visible_groups(caller)
    behind = by_lag(visible)[:limit].values("pk")
    lost = that_lost(visible).order_by("stream__name", "name")[: limit + 1].values("pk")
    either = visible.filter(Q(pk__in=behind) | Q(pk__in=lost)).order_by("stream__name", "name")
    found = list_standings(either[: 2 * limit + 1], now=now)
    return sorted(found, key=lambda each: (-each.lag, each.id))[:limit], [each for each in found if each.lost]


def describe_group(caller: Caller, stream: StreamInfo, group: ConsumerGroup, *, now: datetime) -> GroupPage:
    """Return all that the page of one group shows, in a constant number of queries.

    Raises:
        ConsumerGroupNotFound: it was deleted just now.
    """
    holdings = load_holdings(stream_ids=[stream.id], now=now)
    numbers = list_group_numbers(list_groups(stream).filter(pk=group.pk), holdings, now=now)
    if not numbers:
        raise ConsumerGroupNotFound
    members = GroupMember.objects.filter(group=group).order_by("-last_seen_at")[:50]
    return GroupPage(
        name=group.name,
        owner=group.owner_name,
        rights=rights_on(caller, stream, group),
        mode=group.mode,
        start=group.start,
        is_paused=group.is_paused,
        ack_wait_seconds=group.ack_wait_seconds,
        max_failures=group.max_failures,
        backoff_seconds=tuple(group.backoff_seconds),
        ordering=group.ordering,
        max_in_flight=group.max_in_flight,
        filter=group.filter,
        created_at=group.created_at,
        standing=numbers[0].standing,
        outlook=numbers[0].outlook,
        losses=tuple(list_losses(group)) if numbers[0].standing.lost else (),
        members=tuple(Member(member.name, member.last_seen_at) for member in members),
    )
