"""Questions about consumer groups."""

from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from accounts.caller import Caller
from accounts.short_memory import ShortMemory
from consumers.conf import GROUP_CACHE_SECONDS, GROUP_CACHE_SIZE
from consumers.errors import ConsumerGroupNotFound, WrongMode
from consumers.models import ConsumerGroup, Delivery, GroupOffset, Mode
from streams.log import get_log
from streams.log.protocol import Bounds, PartitionRef
from streams.lookup import StreamInfo
from streams.models import Partition
from streams.names import is_well_formed
from streams.queries import list_streams


def list_groups(stream: StreamInfo) -> QuerySet[ConsumerGroup]:
    """The groups of a stream."""
    return ConsumerGroup.objects.filter(stream_id=stream.id).select_related("stream")


def list_visible_groups(caller: Caller) -> QuerySet[ConsumerGroup]:
    """All groups on streams that the caller may see."""
    streams = list_streams(caller).prefetch_related(None).select_related(None)
    groups = ConsumerGroup.objects.filter(stream__in=streams.values("pk")).select_related("stream")
    offsets = GroupOffset.objects.select_related("partition")
    return groups.prefetch_related("members", Prefetch("offsets", queryset=offsets)) if caller.rights else groups.none()


def get_group(stream: StreamInfo, name: str) -> ConsumerGroup:
    """Return a stream's group by name.

    Raises:
        ConsumerGroupNotFound
    """
    group = list_groups(stream).filter(name=name).first() if is_well_formed(name) else None
    if group is None:
        raise ConsumerGroupNotFound
    return group


_groups: ShortMemory[tuple[int, str], ConsumerGroup] = ShortMemory(seconds=GROUP_CACHE_SECONDS, size=GROUP_CACHE_SIZE)


async def get_group_for_hot_verb(stream: StreamInfo, name: str) -> ConsumerGroup:
    """Return a stream's group by name as it was at most a second ago; it is shared, so nobody may change it.

    Raises:
        ConsumerGroupNotFound
    """
    return await _groups.get_async((stream.id, name), lambda: get_group(stream, name))


def forget_groups() -> None:
    """Drop what this process remembers: a group was changed or deleted here."""
    _groups.forget()


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far a group has come in one partition. `lag_seconds` is None when nothing is unread."""

    partition: int
    committed_offset: int
    bounds: Bounds
    lag_seconds: float | None

    @property
    def lag(self) -> int:
        """Head offset − committed offset."""
        return max(0, self.bounds.head_offset - self.committed_offset)


def list_progress(stream: StreamInfo, group: ConsumerGroup) -> list[PartitionProgress]:
    """Return how far a group has come, partition by partition, in a constant number of queries."""
    committed = committed_offsets(group)
    log = get_log()
    bounds = log.bounds(stream.partitions)
    first_unread = log.recorded_after([(each, committed.get(each.id, 0)) for each in stream.partitions])
    now = timezone.now()
    return [
        PartitionProgress(
            partition=each.number,
            committed_offset=committed.get(each.id, 0),
            bounds=bounds[each.id],
            lag_seconds=max(0.0, (now - since).total_seconds()) if since else None,
        )
        for each, since in zip(stream.partitions, first_unread, strict=True)
        if each.id in bounds
    ]


def committed_offsets(group: ConsumerGroup) -> dict[int, int]:
    """Return the group's committed offset by partition id."""
    rows = GroupOffset.objects.filter(group=group).values_list("partition_id", "committed_offset")
    return dict(rows)


def partitions_of(group: ConsumerGroup) -> dict[int, PartitionRef]:
    """Return the partitions of a group's stream, by their database id."""
    rows = Partition.objects.filter(stream_id=group.stream_id).values_list("pk", "number")
    return {pk: PartitionRef(pk, group.stream.name, number) for pk, number in rows}


def list_deliveries(group: ConsumerGroup, state: str | None = None) -> QuerySet[Delivery]:
    """What the group has in hand and has not finished.

    Raises:
        WrongMode: an offset-mode group has no deliveries.
    """
    if group.mode != Mode.LEASE:
        raise WrongMode(f"{group.name} commits offsets: it has no deliveries.")
    deliveries = Delivery.objects.filter(group=group).select_related("partition")
    return deliveries if state is None else deliveries.filter(state=state)
