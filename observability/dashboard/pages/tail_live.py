"""What the live tail follows: the events of a stream as they come, ready to be drawn.

`GET /streams/{stream}/events/live` is for keys and tokens. A page has a session, and shows more of an event than it
needs and less than there is: it gets rows, by the same service.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts.caller import Caller, caller_of
from accounts.database_threads import in_database_thread
from accounts.errors import CredentialsMissing, InvalidParameter
from accounts.http.event_stream import EVENT_STREAM, HEADERS, EventStreamResponse, write_event, write_retry
from accounts.http.hang_up import HungUp, call_on_hang_up, check_still_there, notices_hang_up
from accounts.http.lean import LeanView
from accounts.permissions import MayConsume
from accounts.roles import Right
from accounts.services.authenticate_browser import authenticate_browser_async
from consumers.conf import LIVE_RETRY_MILLISECONDS
from consumers.services.following import follow_events
from consumers.services.reading import Reading
from consumers.services.standing import PartitionsAdded, Standing
from consumers.services.waiting import live_place
from observability.conf import TAIL_PAUSE_SECONDS
from observability.dashboard.pages.events import partitions_of, search_of
from observability.dashboard.pages.tail import FILTERS, USER, bounds_of, places_in
from observability.dashboard.queries.event_filter import EventFilter
from observability.dashboard.queries.event_scan import read_positions, write_positions
from observability.dashboard.queries.tail_rows import TAKEN, Skipped, TailRow, keep_up, view_rows
from streams.errors import StreamNotFound
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo, require_stream_async
from streams.metrics import count_live_events

# Browsers say with what a page asks that is not ours.
OUR_PAGES: Final = frozenset({"same-origin", "none"})


class FollowTail(LeanView):
    """Goes on until the page hangs up, or the session or the right to the stream ends."""

    permission_classes = (MayConsume,)
    query_parameters = {"get": ("at", USER, *FILTERS)}
    # Of the dashboard, not of the API: its document does not have it.
    schema = None

    async def find_caller(self, request: HttpRequest) -> Caller | None:
        """Return who is signed in.

        Raises:
            CredentialsMissing, InvalidCredentials
        """
        if request.META.get("HTTP_SEC_FETCH_SITE", "same-origin") not in OUR_PAGES:
            raise CredentialsMissing("Only pages of the dashboard itself may follow a stream here.")
        session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if not session_key:
            raise CredentialsMissing("Sign in to the dashboard.")
        caller = await authenticate_browser_async(session_key)
        if request.GET.get(USER, str(caller.user_id)) != str(caller.user_id):
            raise CredentialsMissing("Somebody else has signed in since the page was opened.")
        return caller

    async def get(self, request: HttpRequest, stream: str) -> HttpResponseBase:
        tail = await self._begin(request, stream)
        if not notices_hang_up(request):
            # Then nobody could end it. The browser takes this for a last word, and the page polls.
            return HttpResponse(status=204)
        place = ExitStack()
        place.enter_context(live_place(caller_of(request)))
        return EventStreamResponse(tail.pieces(), at_end=place.close)

    async def head(self, request: HttpRequest, stream: str) -> HttpResponseBase:
        await self._begin(request, stream)
        return HttpResponse(content_type=EVENT_STREAM, headers=HEADERS)

    async def _begin(self, request: HttpRequest, name: str) -> "_Tail":
        found = await require_stream_async(caller_of(request), name, Right.CONSUME)
        search = search_of(request)
        partitions = partitions_of(found, search)
        last_id = request.META.get("HTTP_LAST_EVENT_ID")
        text = self.query.get("at") if last_id is None else last_id
        given = None if text is None else read_positions(text, partitions)
        if text is not None and given is None:
            raise InvalidParameter("at" if last_id is None else "Last-Event-ID", "Not a place of this page.")
        bounds = await in_database_thread(partial(bounds_of, partitions))
        heads = {number: each.head_offset for number, each in bounds.items()}
        positions = places_in(heads if given is None else given, partitions, bounds)
        positions, skipped = keep_up(positions, bounds, search.wanted)
        return _Tail(self, request, positions, search.wanted, self._standing(request, found), skipped)

    def _standing(self, request: HttpRequest, stream: StreamInfo) -> Standing:
        async def look_again() -> None:
            await self.admit(request)
            found = await require_stream_async(caller_of(request), stream.name, Right.CONSUME)
            if found.id != stream.id:
                raise StreamNotFound
            if len(found.partitions) > len(stream.partitions):
                raise PartitionsAdded

        session_key = request.COOKIES[settings.SESSION_COOKIE_NAME]
        asked = (session_key, request.GET.get(USER), stream.id, len(stream.partitions))
        return Standing(
            key=(type(self), *asked),
            look=look_again,
            check_still_there=partial(check_still_there, request),
            on_hang_up=partial(call_on_hang_up, request),
        )


@dataclass(slots=True)
class _Tail:
    """One page that follows a stream.

    Attributes:
        positions: up to where each partition was told.
        skipped: what was passed by and not told yet.
    """

    view: FollowTail
    request: HttpRequest
    positions: dict[PartitionRef, int]
    wanted: EventFilter
    standing: Standing
    skipped: list[Skipped]

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """What is written, piece by piece. An end without `end` is none: the page comes again by itself."""
        # The first word is said at once: a page that does not hear it knows that somebody on the way keeps it.
        yield write_retry(random.randint(*LIVE_RETRY_MILLISECONDS)) + self._message([])  # noqa: S311 - nobody gains
        try:
            while True:
                async with aclosing(self._follow()) as readings:
                    async for reading in readings:
                        yield await self._tell(reading)
                        if self._leaves_behind(reading):
                            break
                    else:
                        return
        except (HungUp, PartitionsAdded):
            # With further partitions the page goes on from its place in all of them.
            return
        except Exception as error:  # noqa: BLE001 - every error becomes a problem, as in a view
            problem = self.view.settings.EXCEPTION_HANDLER(error, {"request": self.request, "view": self.view})
            end = write_event(problem.content, kind=b"end")
        yield end

    async def _follow(self) -> AsyncGenerator[Reading, None]:
        types = frozenset({self.wanted.type}) if self.wanted.type else None
        readings = follow_events(positions=self.positions, types=types, standing=self.standing)
        async with aclosing(readings):
            async for reading in readings:
                yield reading
                if not _has_more(reading):
                    await asyncio.sleep(TAIL_PAUSE_SECONDS)

    async def _tell(self, reading: Reading) -> bytes:
        rows = await asyncio.to_thread(self._rows_of, reading.events) if reading.events else []
        self.positions = {partition: reading.next_offsets[partition.number] for partition in self.positions}
        self.skipped += [Skipped(number, *gap, TAKEN) for number, gap in reading.gaps.items()]
        return self._message(rows)

    def _rows_of(self, events: Sequence[bytes]) -> list[TailRow]:
        is_by_type_alone = self.wanted == EventFilter(type=self.wanted.type)
        found = events if is_by_type_alone else [raw for raw in events if self.wanted.matches(raw)]
        count_live_events(events=len(found), size=sum(map(len, found)))
        return view_rows(found)

    def _leaves_behind(self, reading: Reading) -> bool:
        """Whether there is more to tell than anybody could follow; then go on further ahead."""
        if reading.bounds:
            self.positions, skipped = keep_up(self.positions, reading.bounds, self.wanted)
            self.skipped += skipped
        return bool(self.skipped)

    def _message(self, rows: Sequence[TailRow]) -> bytes:
        """Return an event with all that is new; it is a sign of life where nothing is."""
        at = write_positions({partition.number: offset for partition, offset in self.positions.items()})
        told, self.skipped = self.skipped, []
        skipped = [{**each._asdict(), "event_count": each.event_count} for each in told]
        data = msgspec.json.encode({"at": at, "rows": rows, "skipped": skipped})
        return write_event(data, event_id=at)


def _has_more(reading: Reading) -> bool:
    return any(reading.next_offsets[number] < bounds.head_offset for number, bounds in reading.bounds.items())
