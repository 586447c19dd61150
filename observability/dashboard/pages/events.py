"""The events browser: from where, which ones, page by page; and one event."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from accounts.errors import InvalidParameter
from accounts.http.parameters import whole_number
from accounts.permissions import MayConsume
from accounts.roles import Right
from observability.dashboard.forms import Form
from observability.dashboard.listing import text_filter
from observability.dashboard.page import Page
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.event_filter import EventFilter
from observability.dashboard.queries.event_scan import (
    MAX_SCANNED_EVENTS,
    Scan,
    read_positions,
    scan_backwards,
    scan_forwards,
    write_positions,
)
from observability.dashboard.queries.event_view import EventView, view_event
from observability.dashboard.queries.stream_pages import describe_stream
from observability.dashboard.queries.timeline_view import list_group_stories
from observability.dashboard.typed_times import moment_of, zone_of
from streams.errors import PartitionNotFound
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo
from streams.queries import get_event

PAGE_EVENTS = 50
# Of a page that is come back to, with all that *More* had brought.
MAX_SHOWN_AGAIN = 1_000
# Linux takes no argument of 128 KiB.
MAX_ARGUMENT_BYTES = 100_000
NEWEST, OLDEST, OFFSET, TIME = "newest", "oldest", "offset", "time"
STARTS = ((NEWEST, "Newest"), (OLDEST, "Oldest"), (OFFSET, "Offset"), (TIME, "Time"))


@dataclass(frozen=True, slots=True)
class Search:
    """What the form of the browser says."""

    start: str
    offset: str
    time: str
    zone: str
    partition: str
    wanted: EventFilter

    @property
    def is_backwards(self) -> bool:
        return self.start == NEWEST

    @property
    def is_filtered(self) -> bool:
        return not self.wanted.is_empty


def search_of(request: HttpRequest) -> Search:
    """Read the browser's form from the address."""
    start = request.GET.get("from", NEWEST)
    return Search(
        start=start if start in dict(STARTS) else NEWEST,
        offset=text_filter(request, "offset", longest=20),
        time=text_filter(request, "time", longest=40),
        zone=zone_of(request.GET),
        partition=text_filter(request, "partition", longest=4),
        wanted=EventFilter(
            type=text_filter(request, "type"),
            key=text_filter(request, "key", longest=512),
            text=text_filter(request, "text"),
            path=text_filter(request, "path"),
            value=text_filter(request, "value"),
            id=text_filter(request, "id"),
        ),
    )


class StreamEvents(Page):
    """A page of events; asked by a script with `at`, the rows that follow."""

    section = "streams"
    permission_classes = (MayConsume,)
    template = "dashboard/events.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        search = search_of(request)
        partitions = partitions_of(heading.info, search)
        context: dict[str, Any] = {
            "stream": heading,
            "tab": "events",
            "search": search,
            "starts": STARTS,
            "partition_numbers": range(len(heading.info.partitions)),
            "form": Form(),
        }
        if search.start == TIME and not {"time", "at"} & request.GET.keys():
            # Just chosen: the field that asks for it was not there yet.
            return self.whole(self.template, **context, is_unasked=True)
        try:
            scan = scan_of(search, partitions, request.GET.get("at", ""), limit=PAGE_EVENTS)
            if not self.is_part("more"):
                scan = _go_on_until(scan, search, partitions, request.GET.get("until", ""))
        except InvalidParameter as error:
            if error.parameter not in (OFFSET, TIME):
                raise
            context["form"] = Form(faults={error.parameter: error.fault})
            return self.whole(self.template, status=problem_of(error, request).status, **context, is_unasked=True)
        context |= {
            "events": [view_event(raw) for raw in scan.events],
            "scan": scan,
            "more_url": _more_url(request, scan),
            "first_url": address_at(request, None),
            "file_url": f"{reverse('events-file', args=[heading.name])}?{query_at(request, None)}",
            "is_later": "at" in request.GET,
        }
        if self.is_part("more"):
            response = self.part("dashboard/_events_more.html", **context)
            # Whoever goes to an event and back finds what they had before them.
            response["HX-Replace-Url"] = _address_until(request, scan)
            return response
        return self.whole(self.template, **context)


class OneEvent(Page):
    """An event with its payload, how to get it again, and what every group did with it."""

    section = "streams"
    permission_classes = (MayConsume,)
    template = "dashboard/event.html"

    def get(self, request: HttpRequest, stream: str, partition: str, offset: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        number, position = whole_number(partition, "partition"), whole_number(offset, "offset", low=1)
        event = view_event(get_event(heading.info, number, position))
        if self.is_part(f"x-{number}-{position}"):
            return self.part("dashboard/_event_open.html", stream=heading, event=event)
        ref = heading.info.partition(number)
        bounds = get_log().bounds([ref])[ref.id]
        return self.whole(
            self.template,
            stream=heading,
            tab="events",
            event=event,
            previous_offset=position - 1 if position > bounds.earliest_offset else None,
            next_offset=position + 1 if position < bounds.head_offset else None,
            stories=list_group_stories(heading.info, number, position),
            curl_get=_curl_get(request, heading.name, event),
            curl_again=_curl_again(request, heading.name, event),
        )


def partitions_of(stream: StreamInfo, search: Search) -> Sequence[PartitionRef]:
    """Return the partitions that a search is about.

    Raises:
        PartitionNotFound
    """
    if not search.partition:
        return stream.partitions
    try:
        return (stream.partition(int(search.partition)),)
    except ValueError:
        raise PartitionNotFound(f"{stream.name} has the partitions 0 to {len(stream.partitions) - 1}.") from None


def scan_of(search: Search, partitions: Sequence[PartitionRef], at: str, *, limit: int) -> Scan:
    """Return the next piece of a search: from a position in the address, or where the form says that it begins.

    Raises:
        InvalidParameter
    """
    positions = read_positions(at, partitions) if at else None
    if at and positions is None:
        raise InvalidParameter("at", "Not a position of this browser.")
    return _scan(search, partitions, positions, limit=limit)


def _scan(
    search: Search, partitions: Sequence[PartitionRef], positions: Mapping[int, int] | None, *, limit: int
) -> Scan:
    if search.is_backwards:
        return scan_backwards(partitions, positions or {}, wanted=search.wanted, limit=limit)
    if positions is None:
        positions = _start(search, partitions)
    return scan_forwards(partitions, positions, wanted=search.wanted, limit=limit)


def _go_on_until(scan: Scan, search: Search, partitions: Sequence[PartitionRef], until: str) -> Scan:
    """Return a piece of a search with those that follow it, up to a position in the address, within bounds."""
    end = read_positions(until, partitions)
    if end is None:
        return scan
    events, scanned = list(scan.events), scan.scanned
    sign = -1 if search.is_backwards else 1
    while (
        not scan.is_done
        and len(events) < MAX_SHOWN_AGAIN
        and scanned < MAX_SCANNED_EVENTS
        and any(sign * scan.positions.get(number, 0) < sign * offset for number, offset in end.items())
    ):
        scan = _scan(search, partitions, scan.positions, limit=PAGE_EVENTS)
        events += scan.events
        scanned += scan.scanned
    return replace(scan, events=events, scanned=scanned)


def _start(search: Search, partitions: Sequence[PartitionRef]) -> dict[int, int]:
    if search.start == OFFSET:
        offset = whole_number(search.offset or "1", "offset")
        return {each.number: max(0, offset - 1) for each in partitions}
    if search.start == TIME:
        moment = moment_of(search.time, TIME, zone=search.zone)
        return {each.number: get_log().offset_at(each, moment) - 1 for each in partitions}
    return {}


def query_at(request: HttpRequest, at: str | None) -> str:
    """Return the query of an address without what is empty, and with another place in it, or none."""
    query = request.GET.copy()
    for name in ("at", "until"):
        query.pop(name, None)
    for name in [name for name, value in query.items() if not value]:
        query.pop(name)
    if at is not None:
        query["at"] = at
    return query.urlencode(safe="=,")


def address_at(request: HttpRequest, at: str | None) -> str:
    """Return the address that is asked, with another place in it, or none."""
    query = query_at(request, at)
    return f"{request.path}?{query}" if query else request.path


def _address_until(request: HttpRequest, scan: Scan) -> str:
    """The address of the page that asks for more, with how far it has come."""
    query = QueryDict(urlsplit(request.headers.get("HX-Current-URL", "")).query, mutable=True)
    query["until"] = write_positions(scan.positions)
    return f"{request.path}?{query.urlencode(safe='=,')}"


def _more_url(request: HttpRequest, scan: Scan) -> str:
    return "" if scan.is_done else address_at(request, write_positions(scan.positions))


def _curl_get(request: HttpRequest, stream: str, event: EventView) -> str:
    address = request.build_absolute_uri(f"/api/v1/streams/{stream}/events/{event.partition}/{event.offset}")
    return f'curl -H "X-API-Key: $EVENTFLOW_KEY" {shlex.quote(address)}'


def _curl_again(request: HttpRequest, stream: str, event: EventView) -> str:
    """A command that sends the same payload once more, as a new event."""
    import orjson

    known = {"type": event.type, "key": event.key, "headers": dict(event.headers) or None}
    fields = orjson.dumps({name: value for name, value in known.items() if value is not None}).decode()
    body = f'{fields[:-1]},"payload":{event.payload}}}'
    address = request.build_absolute_uri(f"/api/v1/streams/{stream}/events")
    # What is too long for an argument goes to its standard input; of what JSON is, nothing ends it before.
    is_long = len(body.encode()) > MAX_ARGUMENT_BYTES
    data = f"--data-binary @- <<'EVENT'\n{body}\nEVENT" if is_long else f"-d {shlex.quote(body)}"
    return (
        f'curl -X POST -H "X-API-Key: $EVENTFLOW_KEY" -H "Content-Type: application/json" \\\n'
        f"  {shlex.quote(address)} \\\n  {data}"
    )
