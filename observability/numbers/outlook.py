"""Where groups are going: when they will have caught up, and when retention will be faster than they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from consumers.group_standings import GroupStanding, list_standings
from consumers.models import ConsumerGroup
from consumers.queries import GroupIds
from observability.conf import CATCH_UP_SECONDS
from observability.models import GroupMinute
from observability.numbers.holdings import Holding
from observability.numbers.retention_risk import seconds_until_taken


# Not frozen: a scrape makes thousands of these.
@dataclass(slots=True)
class Outlook:
    """Where one group is going.

    Attributes:
        retention_risk_seconds: until retention takes an event that the group has not finished, at the present
            rate; 0 when it does so already; None when nothing is unfinished or nothing will be taken.
        catch_up_seconds: until nothing is unfinished, at the rates of the last minutes; 0 when it is so, None
            when the group does not gain on its stream.
        finished_per_second: how fast the committed offsets moved in the last minutes; None while that is not known.
        appended_per_second: how fast the stream grew meanwhile.
    """

    retention_risk_seconds: float | None
    catch_up_seconds: float | None
    finished_per_second: float | None
    appended_per_second: float | None


class GroupNumbers(NamedTuple):
    """All that is known of a group in numbers."""

    standing: GroupStanding
    outlook: Outlook


def list_group_numbers(
    groups: QuerySet[ConsumerGroup], holdings: Mapping[int, Holding], *, now: datetime
) -> list[GroupNumbers]:
    """Return how these groups stand and where they are going, in their order, in at most eight queries.

    Args:
        groups: not a slice.
        holdings: of their streams at least, by the stream's id.
    """
    bounds = {lane.ref.id: lane.bounds for holding in holdings.values() for lane in holding.lanes.values()}
    standings = list_standings(groups, now=now, bounds=bounds)
    earlier = _earlier_places(groups.order_by().values("pk"), now)
    return [
        GroupNumbers(each, _outlook(each, earlier.get(each.id), holdings.get(each.stream_id), now))
        for each in standings
    ]


class _Place(NamedTuple):
    """Where a group stood some minutes ago."""

    at: datetime
    committed_offset: int
    head_offset: int


def _earlier_places(group_ids: GroupIds, now: datetime) -> dict[int, _Place]:
    since = now - timedelta(seconds=CATCH_UP_SECONDS)
    minutes = GroupMinute.objects.filter(group_id__in=group_ids, minute__gte=since, minute__lt=now).order_by("minute")
    places: dict[int, _Place] = {}
    for group_id, *place in minutes.values_list("group_id", "minute", "committed_offset", "head_offset"):
        places.setdefault(group_id, _Place._make(place))
    return places


def _outlook(standing: GroupStanding, earlier: _Place | None, holding: Holding | None, now: datetime) -> Outlook:
    risk = _retention_risk(standing, holding) if holding else None
    caught_up = 0.0 if standing.lag == 0 else None
    if earlier is None:
        return Outlook(risk, caught_up, finished_per_second=None, appended_per_second=None)
    seconds = (now - earlier.at).total_seconds()
    finished = standing.committed_offset - earlier.committed_offset
    appended = standing.head_offset - earlier.head_offset
    gained = finished - appended
    return Outlook(
        retention_risk_seconds=risk,
        catch_up_seconds=standing.lag * seconds / gained if standing.lag and gained > 0 else caught_up,
        # A seek backwards is no work undone.
        finished_per_second=max(0, finished) / seconds,
        appended_per_second=max(0, appended) / seconds,
    )


def _retention_risk(standing: GroupStanding, holding: Holding) -> float | None:
    """The nearest risk of those partitions that have something unfinished."""
    risks = []
    for each in standing.partitions:
        # Retention waits for nothing that is for later.
        if each.unfinished_seconds is None:
            continue
        lane = holding.lanes[each.partition.id]
        risk = seconds_until_taken(
            each.bounds,
            lane.limits,
            committed_offset=each.committed_offset,
            age_seconds=each.unfinished_seconds,
            stored_bytes=lane.stored_bytes,
            rate_per_second=holding.lane_rate_per_second,
        )
        if risk is not None:
            risks.append(risk)
    return min(risks, default=None)
