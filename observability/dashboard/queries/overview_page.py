"""What the overview shows, as plain values, in a number of queries that no amount of data changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.caller import Caller
from accounts.roles import Right
from consumers.dead_letter_queries import list_open_dead_letters
from consumers.group_standings import GroupStanding
from observability.dashboard.queries.alert_pages import count_firing
from observability.dashboard.queries.engines import why_away
from observability.dashboard.queries.event_filter import EventFilter
from observability.dashboard.queries.event_scan import scan_backwards
from observability.dashboard.queries.event_view import EventView, view_event
from observability.dashboard.queries.group_pages import list_groups_of_note
from observability.numbers.activity import Activity, activity_of, list_busiest, total_activity
from observability.numbers.tails import load_tails
from streams.errors import LogUnavailable
from streams.lookup import info_of
from streams.models import Partition
from streams.visible import list_streams

TOP_STREAMS = 8
TOP_GROUPS = 8
RECENT_STREAMS = 4
RECENT_EVENTS = 8
# Counting further would cost more than the exact number is worth.
MAX_COUNTED = 10_000
MAX_FIRING = 100


@dataclass(frozen=True, slots=True)
class BusyStream:
    """A stream among the busiest."""

    name: str
    is_paused: bool
    activity: Activity

    @property
    def hour_events(self) -> int:
        """Events of the last hour, by which they are listed."""
        return sum(point.events for point in self.activity.points)


@dataclass(frozen=True, slots=True)
class RecentEvent:
    """An event among the newest of all streams."""

    stream: str
    event: EventView


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """All that the overview shows. What is counted stops at a limit, and says so."""

    stream_count: int
    activity: Activity
    busiest: Sequence[BusyStream]
    groups: Sequence[GroupStanding]
    recent: Sequence[RecentEvent]
    # There are some, and their engines are away.
    is_recent_away: bool
    dead_letters: int
    has_more_dead_letters: bool
    # Of those that have lost something, the first.
    lost: Sequence[GroupStanding]
    is_more_lost: bool
    firing_alerts: int
    has_more_firing_alerts: bool

    @property
    def is_new(self) -> bool:
        """Whether there is nothing yet to look at."""
        return self.stream_count == 0


def get_overview(caller: Caller, *, now: datetime) -> OverviewPage:
    """Return the overview of what this caller may see."""
    visible = list_streams(caller).prefetch_related(None).select_related(None).order_by()
    tails = load_tails(visible)
    busiest = list_busiest(visible, now=now, limit=TOP_STREAMS)
    activity = activity_of([each.id for each in busiest], tails, now=now)
    busy = [BusyStream(each.name, each.is_paused, activity[each.id]) for each in busiest]
    may_consume = caller.has_right(Right.CONSUME)
    recent, is_recent_away = _recent_events(caller) if may_consume else ([], False)
    behind, lost = list_groups_of_note(caller, now=now, limit=TOP_GROUPS) if may_consume else ([], [])
    dead_letters = count_open_dead_letters(caller) if may_consume else 0
    firing_alerts = count_firing(caller, limit=MAX_FIRING + 1) if may_consume else 0
    return OverviewPage(
        stream_count=visible.count(),
        activity=total_activity(visible, tails, now=now),
        busiest=sorted(busy, key=lambda each: -each.hour_events),
        groups=behind,
        recent=recent,
        is_recent_away=is_recent_away,
        dead_letters=min(dead_letters, MAX_COUNTED),
        has_more_dead_letters=dead_letters > MAX_COUNTED,
        lost=lost[:TOP_GROUPS],
        is_more_lost=len(lost) > TOP_GROUPS,
        firing_alerts=min(firing_alerts, MAX_FIRING),
        has_more_firing_alerts=firing_alerts > MAX_FIRING,
    )


def count_open_dead_letters(caller: Caller) -> int:
    """Count the dead letters that wait for somebody, up to `MAX_COUNTED` and one more, which says that there are."""
    streams = list_streams(caller, Right.CONSUME).prefetch_related(None).select_related(None)
    return list_open_dead_letters().filter(group__stream__in=streams.values("pk"))[: MAX_COUNTED + 1].count()


def _recent_events(caller: Caller) -> tuple[list[RecentEvent], bool]:
    """The newest events of the streams that were appended to last; and whether none of these can be seen now."""
    streams = list_streams(caller, Right.CONSUME).prefetch_related(None).select_related(None)
    newest = Partition.objects.filter(stream__in=streams.values("pk"), head_offset__gt=0).order_by("-last_recorded_at")
    ids = list(dict.fromkeys(newest.values_list("stream_id", flat=True)[: RECENT_STREAMS * 4]))[:RECENT_STREAMS]
    found: list[RecentEvent] = []
    is_one_away = False
    for row in list_streams(caller).filter(pk__in=ids):
        if why_away(row.engine):
            # Nobody waits for it here: what is known of the others is shown.
            is_one_away = True
            continue
        try:
            scan = scan_backwards(info_of(row).partitions, {}, wanted=EventFilter(), limit=RECENT_EVENTS)
            found += [RecentEvent(row.name, view_event(raw)) for raw in scan.events]
        except LogUnavailable:
            is_one_away = True
    newest_first = sorted(found, key=lambda each: each.event.recorded_at, reverse=True)
    return newest_first[:RECENT_EVENTS], is_one_away and not found
