"""How consumer groups stand: computed from counters when somebody asks, in a constant number of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.functions import Now

from consumers.models import ConsumerGroup, DeadLetter, Delivery, GroupMember, GroupOffset
from consumers.states import DeadLetterStatus, DeliveryState
from observability.conf import CATCH_UP_SECONDS
from observability.models import GroupMinute
from observability.numbers.lanes import Lane
from observability.numbers.retention_risk import seconds_until_taken
from streams.log import get_log


@dataclass(slots=True)
class GroupStanding:
    """How one group stands on its stream, all partitions together; counts are events.

    Attributes:
        lag: head offset − committed offset.
        lag_seconds: age of the first unfinished event; None when nothing is unfinished.
        in_flight: leased by a member at this moment.
        waiting: given back or expired, to be leased again.
        dead_letters: open ones.
        missing: retention took them before the group finished them, and it has not passed them yet.
        retention_risk_seconds: until retention takes an event that the group has not finished, at the present
            rate; 0 when it does so already; None when nothing is unfinished or nothing will be taken.
        catch_up_seconds: until nothing is unfinished, at the rates of the last minutes; 0 when it is so, None
            when the group does not gain on its stream.
        finished_per_second: how fast the committed offsets moved in the last minutes; None while that is not known.
        appended_per_second: how fast the stream grew meanwhile.
    """

    id: int
    stream: str
    name: str
    mode: str
    committed_offset: int = 0
    lag: int = 0
    lag_seconds: float | None = None
    in_flight: int = 0
    waiting: int = 0
    dead_letters: int = 0
    missing: int = 0
    retention_risk_seconds: float | None = None
    catch_up_seconds: float | None = None
    finished_per_second: float | None = None
    appended_per_second: float | None = None
    last_seen_at: datetime | None = None
    head_offset: int = field(default=0, repr=False)


def list_standings(lanes: Mapping[int, Lane], *, stream_id: int | None, now: datetime) -> list[GroupStanding]:
    """Return how the groups of one stream stand, or (None) of all of them, by stream and name.

    Args:
        lanes: every partition of those streams, by its id.
    """
    groups = ConsumerGroup.objects.order_by("stream__name", "name")
    chosen = groups if stream_id is None else groups.filter(stream_id=stream_id)
    standings = {
        pk: GroupStanding(pk, stream, name, mode)
        for pk, stream, name, mode in chosen.values_list("pk", "stream__name", "name", "mode")
    }
    if standings:
        _add_offsets(standings, lanes, stream_id, now)
        _add_deliveries(standings, stream_id)
        _add_members(standings, stream_id)
        _add_catch_up(standings, stream_id, now)
    return list(standings.values())


def _of(rows: QuerySet[Any], stream_id: int | None) -> QuerySet[Any]:
    return rows if stream_id is None else rows.filter(group__stream_id=stream_id)


def _add_offsets(
    standings: Mapping[int, GroupStanding], lanes: Mapping[int, Lane], stream_id: int | None, now: datetime
) -> None:
    columns = ("group_id", "partition_id", "committed_offset")
    rows: Sequence[tuple[int, int, int]] = [
        row for row in _of(GroupOffset.objects.all(), stream_id).values_list(*columns) if row[1] in lanes
    ]
    first_unfinished = get_log().recorded_after([(lanes[lane].ref, committed) for _, lane, committed in rows])
    for (group_id, lane_id, committed), recorded_at in zip(rows, first_unfinished, strict=True):
        lane, standing = lanes[lane_id], standings.get(group_id)
        if standing is None:
            continue
        head = lane.bounds.head_offset
        standing.head_offset += head
        standing.committed_offset += committed
        standing.lag += max(0, head - committed)
        standing.missing += max(0, lane.bounds.earliest_offset - 1 - committed)
        if recorded_at is None or committed >= head:
            continue
        age = max(0.0, (now - recorded_at).total_seconds())
        standing.lag_seconds = max(age, standing.lag_seconds or 0.0)
        risk = seconds_until_taken(
            lane.bounds,
            lane.limits,
            committed_offset=committed,
            age_seconds=age,
            stored_bytes=lane.stored_bytes,
            rate_per_second=lane.rate_per_second,
        )
        if risk is not None:
            known = standing.retention_risk_seconds
            standing.retention_risk_seconds = risk if known is None else min(risk, known)


def _add_deliveries(standings: Mapping[int, GroupStanding], stream_id: int | None) -> None:
    events = F("last_offset") - F("first_offset") + 1
    leased = Q(state=DeliveryState.LEASED, lease_expires_at__gt=Now())
    deliveries = _of(Delivery.objects.exclude(state=DeliveryState.EXHAUSTED), stream_id).order_by()
    sums = deliveries.values("group_id").annotate(leased=Sum(events, filter=leased), every=Sum(events))
    for group_id, in_flight, every in sums.values_list("group_id", "leased", "every"):
        if standing := standings.get(group_id):
            standing.in_flight, standing.waiting = in_flight or 0, every - (in_flight or 0)
    dead = _of(DeadLetter.objects.filter(status=DeadLetterStatus.OPEN), stream_id).order_by()
    for group_id, count in dead.values_list("group_id").annotate(Count("pk")):
        if standing := standings.get(group_id):
            standing.dead_letters = count


def _add_members(standings: Mapping[int, GroupStanding], stream_id: int | None) -> None:
    members = _of(GroupMember.objects.all(), stream_id).order_by()
    for group_id, seen_at in members.values_list("group_id").annotate(Max("last_seen_at")):
        if standing := standings.get(group_id):
            standing.last_seen_at = seen_at


def _add_catch_up(standings: Mapping[int, GroupStanding], stream_id: int | None, now: datetime) -> None:
    """Compare with where the groups stood some minutes ago."""
    since = now - timedelta(seconds=CATCH_UP_SECONDS)
    earlier: dict[int, tuple[datetime, int, int]] = {}
    rows = _of(GroupMinute.objects.filter(minute__gte=since), stream_id).order_by("minute")
    for group_id, *found in rows.values_list("group_id", "minute", "committed_offset", "head_offset"):
        earlier.setdefault(group_id, tuple(found))
    for standing in standings.values():
        minute, committed, head = earlier.get(standing.id, (now, 0, 0))
        elapsed = (now - minute).total_seconds()
        if elapsed > 0:
            # A seek backwards is no work undone.
            standing.finished_per_second = max(0, standing.committed_offset - committed) / elapsed
            standing.appended_per_second = max(0, standing.head_offset - head) / elapsed
        gained = (standing.committed_offset - committed) - (standing.head_offset - head)
        if standing.lag == 0:
            standing.catch_up_seconds = 0.0
        elif elapsed > 0 and gained > 0:
            standing.catch_up_seconds = standing.lag * elapsed / gained
