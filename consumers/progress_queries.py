"""Questions about how far groups have come, and what they have lost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Greatest

from consumers.conf import UNFINISHED_SEEN_SECONDS
from consumers.models import ConsumerGroup, GroupOffset, UnfinishedSighting
from consumers.progress import PartitionProgress, Place, count_lag
from consumers.queries import GroupIds
from consumers.statements import run
from streams.log import engine_aliases, get_log, last_seen, locate
from streams.log.protocol import Bounds, PartitionRef
from streams.models import Partition

_PLACE = Place._fields
_REF = ("partition_id", "group__stream__name", "partition__number")


def lag_of(offsets: Iterable[GroupOffset]) -> int:
    """Return the lag in all partitions together, from offsets that were loaded with their partitions."""
    return sum(count_lag(bounds=_ends_of(each.partition), committed_offset=each.committed_offset) for each in offsets)


def lost_of(offsets: Iterable[GroupOffset]) -> int:
    """Return what was lost in all partitions together, from offsets that were loaded with their partitions."""
    return sum(_place_of(each).lost(_ends_of(each.partition)) for each in offsets)


def lost_total_of(offsets: Iterable[GroupOffset]) -> int:
    """Return what was ever lost in all partitions together, from offsets that were loaded with their partitions."""
    return sum(_place_of(each).lost_total(_ends_of(each.partition)) for each in offsets)


def by_lag(groups: QuerySet[ConsumerGroup]) -> QuerySet[ConsumerGroup]:
    """The same groups, furthest behind first: `lag_of` in SQL, to sort by."""
    return groups.annotate(total_lag=Sum(_lag("offsets__"))).order_by("-total_lag", "pk")


def _lag(path: str = "") -> Greatest:
    """`count_lag` in SQL, from where `path` leads to the offsets."""
    begun = Greatest(F(f"{path}committed_offset"), F(f"{path}partition__earliest_offset") - 1)
    return Greatest(F(f"{path}partition__head_offset") - begun, 0)


class GroupCounts(NamedTuple):
    """A group's lag, and how many events it finished, failed with and gave up on since it began."""

    lag: int
    finished: int
    failed: int
    dead_lettered: int


def counts_of(group: ConsumerGroup) -> GroupCounts:
    """Return what a group's counts are at this moment, all partitions together, in one query."""
    sums = GroupOffset.objects.filter(group=group).aggregate(
        lag=Sum(_lag(), default=0),
        finished=Sum("finished_count", default=0),
        failed=Sum("failed_count", default=0),
        dead_lettered=Sum("dead_letter_count", default=0),
    )
    return GroupCounts(**sums)


def that_lost(groups: QuerySet[ConsumerGroup]) -> QuerySet[ConsumerGroup]:
    """Those of the groups that have lost something that nobody has acknowledged."""
    lost = GroupOffset.objects.filter(lost_count__gt=F("lost_acknowledged")) | that_lost_uncounted()
    return groups.filter(pk__in=lost.values("group_id"))


def that_lost_uncounted() -> QuerySet[GroupOffset]:
    """The offsets of which something was lost that is not in their counts yet: `Place.uncounted` in SQL."""
    reached = Greatest("committed_offset", "dispatched_offset", "lost_through")
    return GroupOffset.objects.filter(partition__earliest_offset__gt=reached + 1)


def list_progress(group: ConsumerGroup, *, now: datetime) -> list[PartitionProgress]:
    """Return how far a group has come, partition by partition, in at most four queries; other engines are asked."""
    return progress_of([group.pk], now=now, find=locate).get(group.pk, [])


def progress_of(
    group_ids: GroupIds,
    *,
    now: datetime,
    bounds: Mapping[int, Bounds] | None = None,
    find: Callable[[Sequence[PartitionRef]], Sequence[PartitionRef]] | None = None,
) -> dict[int, list[PartitionProgress]]:
    """Return how far each group has come, by its id, partition by partition, in at most five queries.

    Args:
        bounds: the ends of their partitions by id, if they are known; partitions without are left out.
        find: finds out where partitions lie. Unless it is given, those in other engines are taken as they were last
            seen.
    """
    offsets = GroupOffset.objects.filter(group_id__in=group_ids).order_by("partition__number")
    rows = list(offsets.values_list("group_id", *_REF, *_PLACE))
    refs: Sequence[PartitionRef] = [PartitionRef(*row[1:4]) for row in rows]
    if find is not None:
        refs = find(refs)
    found = [(row[0], ref, Place(*row[4:])) for ref, row in zip(refs, rows, strict=True)]
    log = get_log()
    if bounds is None:
        partitions = list({partition for _, partition, _ in found})
        bounds = last_seen(partitions) if find is None else log.bounds(partitions)
    known = [each for each in found if each[1].id in bounds]
    late = _find_late(known, bounds)
    unfinished = [(partition, place.committed_offset) for _, partition, place in known]
    plain = [
        (partition, late[group_id, partition.id].offset - 1)
        for group_id, partition, _ in known
        if (group_id, partition.id) in late
    ]
    moments = log.recorded_after([*unfinished, *plain])
    plain_moments = iter(moments[len(unfinished) :])
    seen = _moments_seen(group_ids) if find is None else {}
    progress: dict[int, list[PartitionProgress]] = {}
    for (group_id, partition, place), asked in zip(known, moments, strict=False):
        ends = bounds[partition.id]
        sighting = seen.get((group_id, partition.id))
        moment = (sighting.moment(place.committed_offset, now=now) if sighting else None) or asked
        # What was appended after the ends were read lies beyond them.
        first = moment if place.committed_offset < ends.head_offset else None
        since = first
        if (own := late.get((group_id, partition.id))) is not None:
            recorded_at = next(plain_moments)
            since = min(
                [at for at in (recorded_at if own.offset <= ends.head_offset else None, own.due_at) if at is not None],
                default=None,
            )
        progress.setdefault(group_id, []).append(
            PartitionProgress(partition, place, ends, lag_seconds=_age(since, now), unfinished_seconds=_age(first, now))
        )
    return progress


class _Sighting(NamedTuple):
    """When the first unfinished event in another engine was recorded, and what was the case when that was seen."""

    committed_offset: int
    recorded_at: datetime | None
    seen_at: datetime

    def moment(self, committed_offset: int, *, now: datetime) -> datetime | None:
        """Return since when something is unfinished; of who has come further since, as long ago as it was then."""
        if self.recorded_at is None or committed_offset == self.committed_offset:
            return self.recorded_at
        if now - self.seen_at > timedelta(seconds=UNFINISHED_SEEN_SECONDS):
            return None
        return self.recorded_at + (now - self.seen_at)


def _moments_seen(group_ids: GroupIds) -> dict[tuple[int, int], _Sighting]:
    """Return it by group and partition; with one engine nobody is asked."""
    if not engine_aliases():
        return {}
    columns = ("group_id", "partition_id", "committed_offset", "recorded_at", "seen_at")
    rows = UnfinishedSighting.objects.filter(group_id__in=group_ids).values_list(*columns)
    return {(group_id, partition_id): _Sighting(*row) for group_id, partition_id, *row in rows}


class _Late(NamedTuple):
    """What is unfinished and for now, beside what is for later: the first offset, and since when the rest is due."""

    offset: int
    due_at: datetime | None


def _find_late(
    places: Sequence[tuple[int, PartitionRef, Place]], bounds: Mapping[int, Bounds]
) -> dict[tuple[int, int], _Late]:
    """Return it by group and partition, where something is for later; of most nothing is, and nobody asks."""
    timed = [
        (group_id, partition.id)
        for group_id, partition, place in places
        if bounds[partition.id].timed_through > place.committed_offset
    ]
    if not timed:
        return {}
    group_ids, partition_ids = ({each[index] for each in timed} for index in (0, 1))
    found = run("find_late", group_ids=list(group_ids), partition_ids=list(partition_ids))
    return {(group_id, partition_id): _Late(*late) for group_id, partition_id, *late in found}


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())


def places_of(group: ConsumerGroup) -> dict[int, Place]:
    """Return where the group stands, by partition id."""
    return {partition_id: Place(*place) for partition_id, *place in run("places", group_id=group.pk)}


@dataclass(frozen=True, slots=True)
class Loss:
    """What a group has lost in one partition and nobody has acknowledged.

    Attributes:
        first_offset, last_offset: between these it lies.
        counted_at: when the last of it was noticed; None: not yet.
    """

    partition: int
    event_count: int
    first_offset: int
    last_offset: int
    counted_at: datetime | None


def list_losses(group: ConsumerGroup) -> list[Loss]:
    """Return what the group has lost and nobody has acknowledged, by partition, in two queries."""
    offsets = list(GroupOffset.objects.filter(group=group).select_related("partition").order_by("partition__number"))
    refs = [PartitionRef(each.partition_id, "", each.partition.number) for each in offsets]
    bounds = last_seen(refs)
    return [
        _loss_of(each, bounds[each.partition_id])
        for each in offsets
        if each.partition_id in bounds and _place_of(each).lost(bounds[each.partition_id])
    ]


def _loss_of(offset: GroupOffset, ends: Bounds) -> Loss:
    place = _place_of(offset)
    first, last = [offset.lost_first_offset], [offset.lost_last_offset]
    if place.uncounted(ends):
        first.append(max(place.reached_offset, place.lost_through) + 1)
        last.append(ends.earliest_offset - 1)
    return Loss(
        partition=offset.partition.number,
        event_count=place.lost(ends),
        first_offset=min(each for each in first if each is not None),
        last_offset=max(each for each in last if each is not None),
        counted_at=offset.lost_at,
    )


def _place_of(offset: GroupOffset) -> Place:
    return Place(*(getattr(offset, name) for name in _PLACE))


def _ends_of(partition: Partition) -> Bounds:
    return Bounds(partition.earliest_offset, partition.head_offset, partition.last_recorded_at, partition.timed_through)
