"""How consumer groups stand at this moment: every page, answer and metric about groups begins here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Max, QuerySet

from consumers.dead_letter_queries import count_open_dead_letters
from consumers.delivery_queries import InHand, count_in_hand
from consumers.models import ConsumerGroup, GroupMember, Mode
from consumers.progress import PartitionProgress
from consumers.progress_queries import progress_of
from consumers.queries import GroupIds
from streams.log.protocol import Bounds


# Not frozen: a scrape makes thousands of these, and that would take twice as long.
@dataclass(slots=True)
class GroupStanding:
    """How one group stands on its stream, all partitions together; counts are events.

    Attributes:
        head_offset, committed_offset: the partitions' summed up.
        lag: events that are still there and not finished.
        lag_seconds: since when the first unfinished event that is kept was recorded, or was due if it was for later;
            None when there is none, or all of them are still for later.
        missing: retention took them before the group finished them, and it has not passed them yet.
        lost: retention took them before the group had finished them, since somebody acknowledged it.
        lost_total: the same since the group began.
        filtered_total, expired_total: finished without being handed out, or again, since the group began: because its
            filter does not let them through, and because they had expired.
        in_flight, waiting, suspected, exhausted, held_up, scheduled: as `InHand` says; all of them are part of the lag.
        is_scheduled_at_least: more are scheduled than were counted.
        next_scheduled_at: when the first of those is due.
        dead_letters: open ones.
        last_seen_at: of the member who was seen last.
    """

    id: int
    stream_id: int
    stream: str
    name: str
    mode: str
    is_paused: bool
    partitions: Sequence[PartitionProgress]
    head_offset: int
    committed_offset: int
    lag: int
    lag_seconds: float | None
    missing: int
    lost: int
    lost_total: int
    filtered_total: int
    expired_total: int
    in_flight: int
    waiting: int
    suspected: int
    exhausted: int
    held_up: int
    scheduled: int
    is_scheduled_at_least: bool
    next_scheduled_at: datetime | None
    dead_letters: int
    member_count: int
    last_seen_at: datetime | None

    @property
    def is_isolating(self) -> bool:
        return self.suspected > 0

    @property
    def is_full_of_held_up(self) -> bool:
        """Whether so many events are held up that a partition whose next one would be hands out nothing new."""
        return self.held_up >= settings.MAX_HELD_UP

    @property
    def is_lease_mode(self) -> bool:
        return self.mode == Mode.LEASE


def list_standings(
    groups: QuerySet[ConsumerGroup], *, now: datetime, bounds: Mapping[int, Bounds] | None = None
) -> list[GroupStanding]:
    """Return how these groups stand, in their order, in at most eight queries.

    Args:
        bounds: the ends of their partitions by id, if they are known; partitions without are left out.
    """
    columns = ("pk", "stream_id", "stream__name", "name", "mode", "is_paused")
    rows = list(groups.prefetch_related(None).values_list(*columns))
    if not rows:
        return []
    # A page's groups by their ids; many of them by the query, which does not grow with their number.
    group_ids: GroupIds = [pk for pk, *_ in rows] if groups.query.is_sliced else groups.order_by().values("pk")
    progress = progress_of(group_ids, now=now, bounds=bounds)
    in_hand = count_in_hand([pk for pk, *_ in rows])
    dead_letters = count_open_dead_letters(group_ids)
    members = _members_of(group_ids)
    standings = []
    for pk, stream_id, stream, name, mode, is_paused in rows:
        own, hand = progress.get(pk, []), in_hand.get(pk, InHand())
        member_count, last_seen_at = members.get(pk, (0, None))
        standings.append(
            GroupStanding(
                id=pk,
                stream_id=stream_id,
                stream=stream,
                name=name,
                mode=mode,
                is_paused=is_paused,
                partitions=own,
                head_offset=sum([each.bounds.head_offset for each in own]),
                committed_offset=sum([each.committed_offset for each in own]),
                lag=sum([each.lag for each in own]),
                lag_seconds=max([each.lag_seconds for each in own if each.lag_seconds is not None], default=None),
                missing=sum([each.missing for each in own]),
                lost=sum([each.lost for each in own]),
                lost_total=sum([each.lost_total for each in own]),
                filtered_total=sum([each.place.filtered_count for each in own]),
                expired_total=sum([each.place.expired_count for each in own]),
                in_flight=hand.in_flight,
                waiting=hand.waiting,
                suspected=hand.suspected,
                exhausted=hand.exhausted,
                held_up=hand.held_up,
                scheduled=hand.scheduled,
                is_scheduled_at_least=hand.is_at_least,
                next_scheduled_at=hand.next_at,
                dead_letters=dead_letters.get(pk, 0),
                member_count=member_count,
                last_seen_at=last_seen_at,
            )
        )
    return standings


def _members_of(group_ids: GroupIds) -> dict[int, tuple[int, datetime | None]]:
    """How many members each group has, and when one was last seen, by the group's id."""
    members = GroupMember.objects.filter(group_id__in=group_ids).order_by()
    rows = members.values_list("group_id").annotate(Count("pk"), Max("last_seen_at"))
    return {group_id: (count, seen_at) for group_id, count, seen_at in rows}
