"""Questions about consumer groups."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, prefetch_related_objects

from accounts.caller import Caller
from accounts.roles import Right
from accounts.services.key_uses import note_touch
from accounts.short_memory import ShortMemory
from consumers.access import GroupRight, check_group_right, rights_on_group
from consumers.conf import GROUP_CACHE_SECONDS, GROUP_CACHE_SIZE
from consumers.errors import ConsumerGroupNotFound
from consumers.models import ConsumerGroup, GroupGrant, GroupOffset
from streams.errors import StreamNotFound
from streams.log import locate
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo
from streams.models import Partition, Stream
from streams.names import is_well_formed
from streams.queries import rights_on_row
from streams.visible import list_streams

# Which groups: their ids, or a query for these.
GroupIds: TypeAlias = Collection[int] | QuerySet[ConsumerGroup, Any]


def list_groups(stream: StreamInfo) -> QuerySet[ConsumerGroup]:
    """The groups of a stream."""
    groups = ConsumerGroup.objects.filter(stream_id=stream.id)
    return groups.select_related("stream", "owner", "owner_team").prefetch_related("grants")


def list_visible_groups(caller: Caller) -> QuerySet[ConsumerGroup]:
    """All groups on streams that the caller may consume."""
    streams = list_streams(caller, Right.CONSUME).prefetch_related(None).select_related(None)
    groups = ConsumerGroup.objects.filter(stream__in=streams.values("pk"))
    groups = groups.select_related("stream", "owner", "owner_team")
    return with_offsets(groups).prefetch_related("members")


def with_offsets(groups: QuerySet[ConsumerGroup]) -> QuerySet[ConsumerGroup]:
    """The same groups, loaded with what `lag_of` needs, however many they are."""
    return groups.prefetch_related(_offsets())


def load_offsets(group: ConsumerGroup) -> None:
    """Load one group with what `lag_of` needs."""
    prefetch_related_objects([group], _offsets())


def _offsets() -> Prefetch[Any]:
    return Prefetch("offsets", queryset=GroupOffset.objects.select_related("partition"))


def get_group(stream: StreamInfo, name: str) -> ConsumerGroup:
    """Return a stream's group by name.

    Raises:
        ConsumerGroupNotFound
        StreamNotFound: with the group went its stream, which is remembered for a moment longer.
    """
    group = list_groups(stream).filter(name=name).first() if is_well_formed(name) else None
    if group is None:
        raise ConsumerGroupNotFound if Stream.objects.filter(pk=stream.id).exists() else StreamNotFound
    return group


def require_group(caller: Caller, stream: StreamInfo, name: str, right: GroupRight) -> ConsumerGroup:
    """Return a stream's group by name, for a caller who may use or manage it.

    Raises:
        ConsumerGroupNotFound, StreamNotFound: as `get_group`.
        ScopeMissing: the caller may look at it, and no more.
    """
    return checked_group(caller, stream, get_group(stream, name), right)


def checked_group(caller: Caller, stream: StreamInfo, group: ConsumerGroup, right: GroupRight) -> ConsumerGroup:
    """Return a group of this stream, if the caller may do with it what they are about to.

    Raises:
        ScopeMissing
    """
    check_group_right(rights_on(caller, stream, group), right, name=group.name)
    note_touch(caller.key_id, stream.name, group.name)
    return group


def rights_on(caller: Caller, stream: StreamInfo, group: ConsumerGroup) -> frozenset[GroupRight]:
    """Return what the caller may do with a group of this stream."""
    return rights_on_group(caller, access=group.access, stream_rights=stream.rights_of(caller))


def rights_on_loaded(caller: Caller, group: ConsumerGroup) -> frozenset[GroupRight]:
    """Return what the caller may do with a group that was loaded with its stream."""
    return rights_on_group(caller, access=group.access, stream_rights=rights_on_row(caller, group.stream))


_groups: ShortMemory[tuple[int, str], ConsumerGroup] = ShortMemory(seconds=GROUP_CACHE_SECONDS, size=GROUP_CACHE_SIZE)


async def get_group_for_hot_verb(stream: StreamInfo, name: str) -> ConsumerGroup:
    """Return a stream's group by name as it was at most a second ago; it is shared, so nobody may change it.

    Raises:
        ConsumerGroupNotFound
    """
    return await _groups.get_async((stream.id, name), lambda: _get_group_to_share(stream, name))


def _get_group_to_share(stream: StreamInfo, name: str) -> ConsumerGroup:
    group = get_group(stream, name)
    group.keep_access()
    return group


def forget_groups() -> None:
    """Drop what this process remembers: a group was changed or deleted here."""
    _groups.forget()


def partitions_of(group: ConsumerGroup) -> dict[int, PartitionRef]:
    """Return the partitions of a group's stream, by their database id."""
    rows = Partition.objects.filter(stream_id=group.stream_id).values_list("pk", "number")
    return {each.id: each for each in locate([PartitionRef(pk, group.stream.name, number) for pk, number in rows])}


def list_managed_groups(caller: Caller) -> QuerySet[ConsumerGroup]:
    """The groups that the caller may manage, on all streams that they may consume."""
    streams = list_streams(caller, Right.CONSUME).prefetch_related(None).select_related(None)
    theirs = Q(user_id=caller.user_id) | Q(team_id__in=caller.team_ids)
    granted = GroupGrant.objects.filter(theirs, group=OuterRef("pk"), rights__contains=[GroupRight.MANAGE])
    own: Any = Q(owner_id=caller.user_id) | Q(owner_team_id__in=caller.team_ids) | Exists(granted)
    managed = list_streams(caller, Right.MANAGE).prefetch_related(None).select_related(None)
    groups = ConsumerGroup.objects.filter(stream__in=streams.values("pk"))
    return groups.filter(own | Q(stream__in=managed.values("pk")))
