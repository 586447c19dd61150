"""`GET /streams/{stream}/events/live`: a stream's events as server-sent events."""

import random
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from accounts.caller import caller_of
from accounts.database_threads import in_database_thread
from accounts.errors import InvalidParameter
from accounts.http.event_stream import (
    EVENT_STREAM,
    HEADERS,
    HEARTBEAT,
    EventStreamResponse,
    write_event,
    write_place,
    write_retry,
)
from accounts.http.hang_up import HungUp, notices_hang_up
from accounts.http.lean import LeanView
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.api.positions import (
    LAST_OFFSET_PATTERN,
    TYPES_PATTERN,
    partitions_to_read,
    positions_after,
    types_in,
)
from consumers.api.standing import standing_of
from consumers.conf import LIVE_RETRY_MILLISECONDS
from consumers.offset_headers import NEXT_OFFSET_PATTERN, write_vector
from consumers.services.following import follow_events, read_for_live
from consumers.services.reading import Reading
from consumers.services.standing import PartitionsAdded
from consumers.services.waiting import live_place
from streams.conf import MAX_OFFSET
from streams.errors import StreamNotFound
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo, renewed, require_stream_async
from streams.metrics import count_gap, count_live_events
from streams.stored_event import place_of

PARAMETERS = ("last_offset", "partition", "type")
LAST_EVENT_ID: Final = OpenApiParameter(
    "Last-Event-ID",
    {"type": "string", "pattern": NEXT_OFFSET_PATTERN},
    "header",
    description="The `id` that came last, to go on after it. Where it is given, `last_offset` does not count.",
)


class LiveEventsView(LeanView):
    permission_classes = (MayConsume,)
    query_parameters = {"get": PARAMETERS}

    @extend_schema(
        operation_id="follow_events",
        tags=["Reading"],
        parameters=[
            OpenApiParameter(
                "last_offset",
                {"type": "string", "pattern": LAST_OFFSET_PATTERN, "default": "latest"},
                description="The last offset you have processed, as polls take it.",
            ),
            OpenApiParameter(
                "partition",
                {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_OFFSET},
                description="Only this one.",
            ),
            OpenApiParameter(
                "type",
                {"type": "string", "pattern": TYPES_PATTERN},
                description="Only these types, separated by commas.",
            ),
            LAST_EVENT_ID,
        ],
        responses={
            (200, EVENT_STREAM): OpenApiResponse(
                OpenApiTypes.STR,
                description="Server-sent events: messages, each an event as a poll gives it, with an `id` to go on "
                "after; `gap` (`partition`, `first_offset`, `last_offset`) for what retention took; `end`, with a "
                "problem, where the right to it has ended.",
            )
        },
    )
    async def get(self, request: HttpRequest, stream: str) -> HttpResponseBase:
        """Follow the events of a stream as they come. Moves no offset.

        The answer goes on until you hang up. One that ends without `end` was cut: come again with the last `id`.
        """
        following = await self._begin(request, stream)
        if not notices_hang_up(request):
            return HttpResponse(await following.so_far(), content_type=EVENT_STREAM, headers=HEADERS)
        place = ExitStack()
        place.enter_context(live_place(caller_of(request)))
        return EventStreamResponse(following.pieces(), at_end=place.close)

    async def head(self, request: HttpRequest, stream: str) -> HttpResponseBase:
        await self._begin(request, stream)
        return HttpResponse(content_type=EVENT_STREAM, headers=HEADERS)

    async def _begin(self, request: HttpRequest, stream: str) -> "_Following":
        query = self.query
        types = types_in(query)
        last_id = request.META.get("HTTP_LAST_EVENT_ID")
        if last_id in ("earliest", "latest"):
            raise InvalidParameter("Last-Event-ID", "Must be the `id` of an event.")
        found = await require_stream_async(caller_of(request), stream, Right.CONSUME)
        text = query.get("last_offset", "latest") if last_id is None else last_id
        partitions = await partitions_to_read(query, found, text)
        positions = await positions_after(
            text,
            found,
            partitions,
            name="last_offset" if last_id is None else "Last-Event-ID",
            is_one="partition" in query,
        )
        return _Following(self, request, found, positions, types, is_one="partition" in query)


@dataclass(slots=True)
class _Following:
    """One caller who follows a stream.

    Attributes:
        positions: up to where each partition was written.
        is_one: a single partition was asked for.
    """

    view: LiveEventsView
    request: HttpRequest
    stream: StreamInfo
    positions: dict[PartitionRef, int]
    types: frozenset[str] | None
    is_one: bool

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """What is written, piece by piece, until the right to it ends, nobody listens, or the server stops."""
        yield self._opening()
        try:
            while True:
                try:
                    async with aclosing(self._follow()) as readings:
                        async for reading in readings:
                            yield self._write(reading)
                except PartitionsAdded:
                    await self._add_partitions()
                else:
                    return
        except HungUp:
            return
        except Exception as error:  # noqa: BLE001 - every error becomes a problem, as in a view
            problem = self.view.settings.EXCEPTION_HANDLER(error, {"request": self.request, "view": self.view})
            end = write_event(problem.content, kind=b"end")
        yield end

    async def so_far(self) -> bytes:
        """What is there already, as much as one write carries: for a door that cannot tell when to stop."""
        opening = self._opening()
        reading = await in_database_thread(partial(read_for_live, self.positions, self.types))
        return opening + self._write(reading)

    def _follow(self) -> AsyncGenerator[Reading, None]:
        return follow_events(
            positions=self.positions,
            types=self.types,
            standing=standing_of(self.view, self.request, self.stream, None),
        )

    def _opening(self) -> bytes:
        # With the place where it begins: nothing is missed by whoever is cut off before the first event.
        return write_retry(random.randint(*LIVE_RETRY_MILLISECONDS)) + self._place()  # noqa: S311 - nobody gains by it

    def _write(self, reading: Reading) -> bytes:
        """Return all of a reading, each event with the place after it."""
        if not reading.events and not reading.gaps:
            return self._move(reading.next_offsets) or HEARTBEAT
        reached = {partition.number: offset for partition, offset in self.positions.items()}
        gaps = dict(reading.gaps)
        pieces: list[bytes] = []

        def tell_gap(number: int) -> None:
            gap = gaps.pop(number)
            reached[number] = gap.last_offset
            data = {"partition": number, "first_offset": gap.first_offset, "last_offset": gap.last_offset}
            pieces.append(write_event(msgspec.json.encode(data), event_id=write_vector(reached), kind=b"gap"))
            count_gap(gap.last_offset - gap.first_offset + 1)

        for event in reading.events:
            number, offset = place_of(event)
            if number in gaps:
                tell_gap(number)
            reached[number] = offset
            pieces.append(write_event(event, event_id=write_vector(reached)))
        for number in list(gaps):
            tell_gap(number)
        self._reach(reached)
        pieces.append(self._move(reading.next_offsets))
        count_live_events(events=len(reading.events), size=sum(map(len, reading.events)))
        return b"".join(pieces)

    def _move(self, offsets: dict[int, int]) -> bytes:
        """Go on to these offsets; return what says so, if it is further."""
        before = dict(self.positions)
        self._reach(offsets)
        return self._place() if self.positions != before else b""

    def _reach(self, offsets: dict[int, int]) -> None:
        self.positions = {partition: offsets[partition.number] for partition in self.positions}

    def _place(self) -> bytes:
        return write_place(write_vector({partition.number: offset for partition, offset in self.positions.items()}))

    async def _add_partitions(self) -> None:
        """Go on with the partitions that were added, from their first event."""
        before = self.stream
        self.stream = await in_database_thread(lambda: renewed(before))
        if len(self.stream.partitions) <= len(before.partitions):
            raise StreamNotFound
        if not self.is_one:
            known = {partition.id for partition in self.positions}
            self.positions |= {each: 0 for each in self.stream.partitions if each.id not in known}
