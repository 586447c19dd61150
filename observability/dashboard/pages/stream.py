"""One stream: what it holds, how fast it grows, who reads it; and the first steps of one that is new."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.roles import Right
from observability.dashboard.page import Page
from observability.dashboard.queries.charts import rate_chart, size_chart
from observability.dashboard.queries.engines import why_away
from observability.dashboard.queries.event_filter import EventFilter
from observability.dashboard.queries.event_scan import scan_backwards, scan_forwards
from observability.dashboard.queries.event_view import EventView, view_event
from observability.dashboard.queries.first_steps import FirstSteps, first_steps
from observability.dashboard.queries.stream_pages import StreamHeading, describe_stream
from observability.numbers.mirrors import mirror_standings_in
from observability.numbers.series import step_of
from observability.numbers.stats import get_stream_stats
from streams.errors import LogUnavailable
from streams.log import last_seen

RECENT_EVENTS = 8
SHOWN_TYPES = 8
SHOWN_GROUPS = 20
WINDOWS = {"1h": 3600, "6h": 6 * 3600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}


class StreamOverview(Page):
    section = "streams"
    template = "dashboard/stream.html"
    region = "dashboard/_stream.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream)
        if self.is_part("first-event"):
            return self.part("dashboard/_first_event.html", stream=heading, **_first_event(heading))
        window = request.GET.get("window", "")
        window = window if window in WINDOWS else "1h"
        now = timezone.now()
        stats = get_stream_stats(heading.info, window_seconds=WINDOWS[window], now=now)
        may_consume = Right.CONSUME in heading.rights
        events, away = _recent_events(heading) if may_consume else ([], why_away(heading.engine.alias))
        step = step_of(WINDOWS[window])
        return self.show(
            stream=heading,
            tab="overview",
            holding=stats.holding,
            window=window,
            windows=tuple(WINDOWS),
            window_events=sum(point.events for point in stats.series),
            rate_chart=rate_chart(stats.series, step=step, now=now),
            size_chart=size_chart(stats.series, step=step, now=now),
            types=stats.types[:SHOWN_TYPES],
            most_of_a_type=max((each.events for each in stats.types), default=1),
            remembered_ids=stats.remembered_ids,
            mirrors=mirror_standings_in(stats.holding, now=now) if Right.MANAGE in heading.rights else [],
            groups=stats.groups[:SHOWN_GROUPS] if may_consume else [],
            events=events,
            away=away,
            steps=None if stats.holding.totals.head_offset or self.is_part("region") else self._first_steps(heading),
        )

    def _first_steps(self, heading: StreamHeading) -> FirstSteps:
        api = self.request.build_absolute_uri("/api/v1")
        return first_steps(self.caller, heading, api=api)


def _recent_events(stream: StreamHeading) -> tuple[list[EventView], str]:
    """Return the newest events; and why there are none where their engine cannot be asked, which is not waited for."""
    if away := why_away(stream.engine.alias):
        return [], away
    try:
        scan = scan_backwards(stream.info.partitions, {}, wanted=EventFilter(), limit=RECENT_EVENTS)
    except LogUnavailable as error:
        return [], error.reason
    return [view_event(raw) for raw in scan.events], ""


def _first_event(stream: StreamHeading) -> dict[str, Any]:
    """Whether the stream has its first event, and for who may read it, which that is."""
    bounds = last_seen(stream.info.partitions)
    if not any(each.head_offset for each in bounds.values()):
        return {}
    if not stream.may_consume:
        return {"is_stored": True}
    scan = scan_forwards(stream.info.partitions, {}, wanted=EventFilter(), limit=1)
    return {"is_stored": True, "event": view_event(scan.events[0]) if scan.events else None}
