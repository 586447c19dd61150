"""`GET /streams/{stream}/events`: the poll."""

import time
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from accounts.caller import caller_of
from accounts.database_threads import in_database_thread
from accounts.http.bodies import JSON
from accounts.http.lean_response import LeanResponse
from accounts.http.parameters import integer_parameter, seconds_parameter
from accounts.long_work import off_the_loop_if_long
from accounts.names import NAME_PATTERN
from accounts.permissions import MayConsumeOrProduce
from accounts.roles import Right
from consumers.api.positions import (
    LAST_OFFSET_PATTERN,
    TYPES_PATTERN,
    in_turn,
    partitions_to_read,
    positions_after,
    types_in,
)
from consumers.api.schemas import LOST
from consumers.api.standing import require_group_in_use, standing_of
from consumers.filters import Filter
from consumers.models import ConsumerGroup, Mode
from consumers.offset_headers import NEXT_OFFSET_PATTERN, write_offset_headers
from consumers.progress import Place
from consumers.progress_queries import places_of
from consumers.services.members import note_member_async
from consumers.services.offsets import require_going_on, require_mode
from consumers.services.reading import lags_of, lost_of, read_events_async
from consumers.services.waiting import waiting_place
from streams.api.append import EXAMPLE, AppendView, append_operation
from streams.api.cloudevent_schemas import CLOUDEVENTS_IN_STREAM, CLOUDEVENTS_OUT
from streams.api.cloudevents import CLOUDEVENT_BATCH, wants
from streams.api.schemas import EVENTS_IN_STREAM, EventSerializer
from streams.cloudevents.outgoing import render_batch
from streams.conf import (
    DEFAULT_READ_BYTES,
    DEFAULT_READ_EVENTS,
    MAX_OFFSET,
    MAX_READ_BYTES,
    MAX_READ_EVENTS,
    MAX_WAIT_SECONDS,
)
from streams.lookup import StreamInfo, require_stream_async
from streams.metrics import count_gap, count_read

PARAMETERS = ("consumer_group_id", "last_offset", "partition", "limit", "max_bytes", "wait", "type")
# Where a group stands in a partition that it knows nothing of.
NOWHERE = Place(0, 0, 0, 0, 0)


def _whole(low: int, high: int, **more: int) -> dict[str, Any]:
    return {"type": "integer", "format": "int64", "minimum": low, "maximum": high, **more}


def _told(name: str, description: str, **schema: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, {"type": "string", **schema}, OpenApiParameter.HEADER, response=[200], description=description
    )


# What an answer says beside its events.
TOLD = (
    _told(
        "EventFlow-Next-Offset",
        "Pass it on as `last_offset`: a number, or `0=18,1=7` where several partitions were read.",
        pattern=NEXT_OFFSET_PATTERN,
    ),
    _told("EventFlow-Head-Offset", "Where the log ends; not there where more than 32 partitions were read."),
    _told("EventFlow-Lag", "How many events are left: of the group, or without one after this answer."),
    _told("EventFlow-Gap", "Offsets that retention took before they were read: `12-17`, or `0=12-17`."),
    LOST,
)


class StreamEventsView(AppendView):
    """Both verbs of a stream's events: GET polls, POST appends."""

    permission_classes = (MayConsumeOrProduce,)
    query_parameters = {"get": PARAMETERS}

    @extend_schema(
        operation_id="append_stream_events", **append_operation(EVENTS_IN_STREAM, CLOUDEVENTS_IN_STREAM, EXAMPLE)
    )
    async def post(self, request: HttpRequest, stream: str | None = None) -> HttpResponse:
        """Append to this stream: the same as `POST /events` with the stream in the address."""
        return await super().post(request, stream)

    @extend_schema(
        operation_id="poll_events",
        tags=["Reading"],
        parameters=[
            OpenApiParameter(
                "consumer_group_id",
                {"type": "string", "pattern": NAME_PATTERN},
                description="Read as this group; it must exist, and be one that you may use.",
            ),
            OpenApiParameter(
                "last_offset",
                {
                    "type": "string",
                    "pattern": LAST_OFFSET_PATTERN,
                },
                description="The last offset you have processed: a number, `earliest`, `latest`, or the value of "
                "EventFlow-Next-Offset, which need not name partitions that were added since. "
                "Left out: the group's committed offset, or the beginning.",
            ),
            OpenApiParameter("partition", _whole(0, MAX_OFFSET), description="Only this one."),
            OpenApiParameter(
                "limit", _whole(1, MAX_READ_EVENTS, default=DEFAULT_READ_EVENTS), description="Events at most."
            ),
            OpenApiParameter(
                "max_bytes", _whole(1, MAX_READ_BYTES, default=DEFAULT_READ_BYTES), description="Bytes of JSON at most."
            ),
            OpenApiParameter(
                "wait",
                {"type": "number", "minimum": 0, "maximum": MAX_WAIT_SECONDS, "multipleOf": 0.001, "default": 0},
                description="Seconds to wait for an event.",
            ),
            OpenApiParameter(
                "type",
                {"type": "string", "pattern": TYPES_PATTERN},
                description="Only these types, separated by commas.",
            ),
            *TOLD,
        ],
        responses={
            (200, JSON): OpenApiResponse(EventSerializer(many=True)),
            (200, CLOUDEVENT_BATCH): CLOUDEVENTS_OUT,
        },
    )
    async def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        """Read the events after an offset, in order; wait for some if there are none. Moves no offset.

        `Accept` says in which form they come; `max_bytes` counts the plain one.
        """
        started = time.perf_counter()
        query = self.query
        limit = integer_parameter(query, "limit", default=DEFAULT_READ_EVENTS, low=1, high=MAX_READ_EVENTS)
        max_bytes = integer_parameter(query, "max_bytes", default=DEFAULT_READ_BYTES, low=1, high=MAX_READ_BYTES)
        wait = seconds_parameter(query, "wait", default=0, high=MAX_WAIT_SECONDS)
        types = types_in(query)
        is_for_cloudevents = wants(request, CLOUDEVENT_BATCH)
        found = await require_stream_async(caller_of(request), stream, Right.CONSUME)
        last_offset = query.get("last_offset")
        partitions = await partitions_to_read(query, found, last_offset)
        group, places = await _group(query, found, request)
        if last_offset is None:
            positions = {each: (places or {}).get(each.id, NOWHERE).committed_offset for each in in_turn(partitions)}
        else:
            positions = await positions_after(
                last_offset, found, partitions, name="last_offset", is_one="partition" in query
            )
        del query
        self.forget_query(request)
        with waiting_place(caller_of(request), wait):
            reading = await read_events_async(
                positions=positions,
                limit=limit,
                max_bytes=max_bytes,
                wait_seconds=wait,
                types=types,
                group_filter=None if group is None else Filter.of(group.filter),
                standing=standing_of(self, request, found, group),
            )
        request.handed_out = [reading.events]  # type: ignore[attr-defined]
        by_number = None if places is None else {each.number: places.get(each.id, NOWHERE) for each in partitions}
        if is_for_cloudevents:
            render = partial(render_batch, reading.events, stream=found.name)
            body = await off_the_loop_if_long(render, size=sum(map(len, reading.events)))
            response = LeanResponse(body, content_type=CLOUDEVENT_BATCH)
        else:
            body = b"[" + b",".join(reading.events) + b"]"
            response = LeanResponse(body, content_type=JSON)
        told = write_offset_headers(
            next_offsets=reading.next_offsets,
            head_offsets={number: bounds.head_offset for number, bounds in reading.bounds.items()},
            lags=lags_of(reading, by_number),
            gaps=reading.gaps,
        )
        for name, value in told.items():
            response[name] = value
        if by_number and (lost := lost_of(reading, by_number)):
            response["EventFlow-Lost"] = str(lost)
        if reading.gaps:
            count_gap(sum(gap.last_offset - gap.first_offset + 1 for gap in reading.gaps.values()))
        response["Cache-Control"] = "no-store"
        request.waited_seconds = reading.waited_seconds  # type: ignore[attr-defined]
        seconds = time.perf_counter() - started - reading.waited_seconds
        count_read(events=len(reading.events), size=len(body), seconds=seconds)
        return response


async def _group(
    query: QueryDict, stream: StreamInfo, request: HttpRequest
) -> tuple[ConsumerGroup, dict[int, Place]] | tuple[None, None]:
    """The group that reads, if one does, and where it stands."""
    name = query.get("consumer_group_id")
    if name is None:
        return None, None
    caller = caller_of(request)
    group = await require_group_in_use(caller, stream, name)
    require_mode(group, Mode.OFFSET)
    require_going_on(group)
    await note_member_async(group_id=group.pk, name=caller.reference)
    return group, await in_database_thread(lambda: places_of(group))
