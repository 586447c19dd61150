"""The live tail of a stream: a page that fills itself, and for its poller the rows that are new."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.caller import Caller
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.conf import HEARTBEAT_SECONDS
from observability.conf import TAIL_PATIENCE_SECONDS, TAIL_ROWS
from observability.dashboard.page import Page
from observability.dashboard.pages.events import Search, address_at, partitions_of, query_at, search_of
from observability.dashboard.queries.event_scan import read_positions, scan_backwards, scan_forwards, write_positions
from observability.dashboard.queries.event_view import EventView, view_event
from observability.dashboard.queries.stream_pages import describe_stream
from observability.dashboard.queries.tail_rows import Skipped, keep_up, taken_from
from observability.operations.simulations.headers import SIMULATION_HEADER
from streams.errors import StreamNotFound
from streams.log import get_log
from streams.log.protocol import Bounds, PartitionRef

# What the page begins with, and what one poll brings at most.
FIRST_EVENTS = 20
POLLED_EVENTS = 100
FILTERS: Final = ("partition", "type", "key", "text", "path", "value", "id")
# For whom the page was opened; another who has signed in since is told nothing on it.
USER: Final = "user"

# What a script takes its rows from: everything that one can have is there.
_EXAMPLE: Final = EventView(
    partition=0,
    offset=0,
    recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
    id="",
    type="type",
    key="key",
    occurred_at=None,
    due_at=datetime(2026, 1, 1, tzinfo=UTC),
    expires_at=datetime(2026, 1, 1, tzinfo=UTC),
    headers=((SIMULATION_HEADER, ""),),
    payload="payload",
    raw="",
    unfit_for=None,
    edited=None,
    erased=None,
)
_EXAMPLE_GAP: Final = Skipped(0, 1, 2, "")


class TailEvents(Page):
    """The page follows the stream (`tail_live.py`); where that cannot be, it polls."""

    section = "streams"
    permission_classes = (MayConsume,)
    template = "dashboard/tail.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        search = search_of(request)
        partitions = partitions_of(heading.info, search)
        # Before anything is looked at: what comes meanwhile is after it.
        bounds = bounds_of(partitions)
        position_text = request.GET.get("at", "")
        given = read_positions(position_text, partitions)
        skipped: list[Skipped] = []
        if given is None:
            positions = {number: each.head_offset for number, each in bounds.items()}
            before = {number: offset + 1 for number, offset in positions.items()}
            scan = scan_backwards(partitions, before, wanted=search.wanted, limit=FIRST_EVENTS)
            events = [view_event(raw) for raw in scan.events]
        else:
            after, passed = keep_up(places_in(given, partitions, bounds), bounds, search.wanted)
            skipped = taken_from(after, bounds) + passed
            began = {each.number: offset for each, offset in after.items()}
            found = scan_forwards(partitions, began, wanted=search.wanted, limit=POLLED_EVENTS)
            positions = dict(found.positions)
            events = [view_event(raw) for raw in reversed(found.events)]
        context: dict[str, Any] = {
            "stream": heading,
            "tab": "events",
            "search": search,
            "events": events,
            "skipped": skipped,
            "poll_url": address_at(request, write_positions(positions)),
            "browse_url": f"{reverse('stream-events', args=[heading.name])}?{query_at(request, None)}",
        }
        if self.is_part("tail-rows"):
            if write_positions(positions) == position_text:
                return HttpResponse(status=204)
            return self.part("dashboard/_tail_rows.html", **context)
        return self.whole(
            self.template,
            **context,
            live_url=_live_url(heading.name, self.caller, search),
            heartbeat_seconds=HEARTBEAT_SECONDS,
            patience_seconds=TAIL_PATIENCE_SECONDS,
            max_rows=TAIL_ROWS,
            example=[_EXAMPLE],
            example_gap=[_EXAMPLE_GAP],
        )


def bounds_of(partitions: Sequence[PartitionRef]) -> dict[int, Bounds]:
    """Return the ends of partitions, by their numbers.

    Raises:
        StreamNotFound: it was deleted a moment ago.
    """
    bounds = get_log().bounds(partitions)
    if any(each.id not in bounds for each in partitions):
        raise StreamNotFound
    return {each.number: bounds[each.id] for each in partitions}


def places_in(
    given: Mapping[int, int], partitions: Sequence[PartitionRef], bounds: Mapping[int, Bounds]
) -> dict[PartitionRef, int]:
    """Return where to go on from a place: partitions that it does not name were added since.

    A place beyond the head is of a stream that was deleted, and of which another has the name.
    """
    return {each: min(given.get(each.number, 0), bounds[each.number].head_offset) for each in partitions}


def _live_url(stream: str, caller: Caller, search: Search) -> str:
    wanted = {name: getattr(search.wanted, name, "") for name in FILTERS} | {"partition": search.partition}
    query = {USER: caller.user_id, **{name: text for name, text in wanted.items() if text}}
    return f"{reverse('stream-tail-live', args=[stream])}?{urlencode(query)}"
