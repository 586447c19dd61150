"""One stream: what it holds, how fast it grows, who reads it."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.roles import Right
from observability.dashboard.page import Page
from observability.dashboard.queries.charts import rate_chart, size_chart
from observability.dashboard.queries.event_filter import EventFilter
from observability.dashboard.queries.event_scan import scan_backwards
from observability.dashboard.queries.event_view import view_event
from observability.dashboard.queries.stream_pages import describe_stream
from observability.numbers.series import step_of
from observability.numbers.stats import get_stream_stats

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
        window = request.GET.get("window", "")
        window = window if window in WINDOWS else "1h"
        now = timezone.now()
        stats = get_stream_stats(heading.info, window_seconds=WINDOWS[window], now=now)
        events = []
        if may_consume := Right.CONSUME in heading.rights:
            scan = scan_backwards(heading.info.partitions, {}, wanted=EventFilter(), limit=RECENT_EVENTS)
            events = [view_event(raw) for raw in scan.events]
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
            groups=stats.groups[:SHOWN_GROUPS] if may_consume else [],
            events=events,
        )
