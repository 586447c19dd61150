"""One stream: what it holds, how fast it grows, who reads it."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.roles import Right
from observability.dashboard.page import Page
from observability.queries.activity import activity_of, types_of
from observability.queries.event_filter import EventFilter
from observability.queries.event_scan import scan_backwards
from observability.queries.event_view import view_event
from observability.queries.group_pages import list_group_rows
from observability.queries.stream_pages import describe_stream, list_partition_rows

RECENT_EVENTS = 8
MAX_GROUPS = 20


class StreamOverview(Page):
    section = "streams"
    template = "dashboard/stream.html"
    region = "dashboard/_stream.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream)
        may_consume = Right.CONSUME in heading.rights
        events = []
        if may_consume:
            scan = scan_backwards(heading.info.partitions, {}, wanted=EventFilter(), limit=RECENT_EVENTS)
            events = [view_event(raw) for raw in scan.events]
        partitions = list_partition_rows(heading.info)
        now = timezone.now()
        activity = activity_of([heading.info.id], now=now)[heading.info.id]
        return self.show(
            stream=heading,
            tab="overview",
            partitions=partitions,
            event_count=sum(each.event_count for each in partitions),
            last_event_at=max((each.last_event_at for each in partitions if each.last_event_at), default=None),
            activity=activity,
            types=types_of(heading.info.id, now=now),
            groups=list_group_rows(self.caller, now=now, stream=heading.name, limit=MAX_GROUPS) if may_consume else [],
            events=events,
        )
