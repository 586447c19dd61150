"""`POST /events` and `POST /streams/{stream}/events`: the verb that everything else follows from."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.permissions import BasePermission

from accounts.caller import Caller, caller_of
from accounts.http.bodies import JSON
from accounts.http.idempotent import IDEMPOTENCY, hash_request, idempotency_key_of
from accounts.http.lean import LeanView
from accounts.http.lean_response import LeanResponse
from accounts.limits.rates import BYTES, EVENTS, get_rates
from accounts.long_work import off_the_loop_if_long
from accounts.permissions import MayProduce
from accounts.roles import Right
from streams.api.atomic import ATOMIC, is_atomic_required
from streams.api.cloudevent_schemas import CLOUDEVENTS_IN
from streams.api.events_in import NDJSON, read_events
from streams.api.if_head import IF_HEAD, expected_head_of
from streams.api.schemas import APPENDED, EVENTS_IN
from streams.api.traceparent import TRACEPARENT
from streams.cloudevents.incoming import in_cloudevents
from streams.errors import InvalidEvents
from streams.log.protocol import AppendedRange
from streams.lookup import require_stream_async
from streams.metrics import count_append, count_duplicates
from streams.services.ingest import Idempotency, Placement, append_events_async, encode_texts, stored_events
from streams.times import format_time

EXAMPLE = {"type": "order.created", "payload": {"order_id": 42}, "key": "customer-7"}


def append_operation(events: Any, cloudevents: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    """Return what the document says of an address that events are appended at.

    Args:
        events, cloudevents: what is sent there, in the two forms.
    """
    return {
        "tags": ["Producing"],
        "request": {JSON: events, NDJSON: OpenApiTypes.STR, **cloudevents},
        "parameters": [
            *IDEMPOTENCY,
            IF_HEAD,
            ATOMIC,
            TRACEPARENT,
            OpenApiParameter(
                "Prefer",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="`return=minimal`: of several events only the ranges of their offsets are answered.",
            ),
            OpenApiParameter(
                "Preference-Applied",
                {"type": "string", "enum": ["return=minimal"]},
                OpenApiParameter.HEADER,
                response=[202],
                description="There if it was done so.",
            ),
        ],
        "responses": {202: OpenApiResponse(APPENDED, description="Durable: stored and committed.")},
        "examples": [OpenApiExample("one event", example, request_only=True)],
    }


class AppendView(LeanView):
    permission_classes: tuple[type[BasePermission], ...] = (MayProduce,)

    @extend_schema(
        operation_id="append_events", **append_operation(EVENTS_IN, CLOUDEVENTS_IN, {"stream": "orders", **EXAMPLE})
    )
    async def post(self, request: HttpRequest, stream: str | None = None) -> HttpResponse:
        """Append one event, an array of events, NDJSON or CloudEvents: all or nothing. 202 means durable.

        A CloudEvent may come in HTTP's binary mode too: its attributes as headers that begin with `ce-`, its data as
        the body, of whatever Content-Type.
        """
        started = time.perf_counter()
        caller = caller_of(request)
        # Decided before the body is read: whoever has gone too far need not send it.
        get_rates().admit(caller, EVENTS, BYTES)
        key, expected_head = idempotency_key_of(request), expected_head_of(request)
        is_atomic = is_atomic_required(request)
        events, is_single, size, identity, are_cloudevents = await read_events(request, caller)
        caller = await self.admit_after_body(request)
        is_minimal = _prefers_minimal(request)
        if not events:
            return await _append_nothing(caller, stream, is_minimal=is_minimal)

        def render(placement: Placement, ranges: Sequence[AppendedRange]) -> bytes:
            if is_minimal and not is_single:
                return render_minimal(placement, ranges)
            return render_full(placement, ranges, is_single=is_single)

        idempotency = None
        if key is not None:
            # Who changes one's mind about the head asks for something else.
            condition = b"" if expected_head is None else b"%d\n" % expected_head
            hash_it = partial(hash_request, "POST", request.path, b"%d" % is_minimal + condition + identity)
            idempotency = Idempotency(key, await off_the_loop_if_long(hash_it, size=size))
        try:
            appended, answer = await append_events_async(
                caller=caller,
                events=events,
                is_single=is_single,
                stream_name=stream,
                render=render,
                idempotency=idempotency,
                expected_head=expected_head,
                is_atomic=is_atomic,
                size=size,
            )
        except InvalidEvents as error:
            if are_cloudevents:
                error.faults = [in_cloudevents(fault) for fault in error.faults]
            raise
        response = LeanResponse(answer, status=202, content_type=JSON)
        if is_minimal and not is_single:
            response["Preference-Applied"] = "return=minimal"
        if appended.is_replay:
            response["Idempotent-Replayed"] = "true"
            return response
        repeated = sum(len(each.repeats) for each in appended.ranges)
        count_append(events=len(events) - repeated, seconds=time.perf_counter() - started)
        if repeated:
            count_duplicates(repeated)
        return response


async def _append_nothing(caller: Caller, stream: str | None, *, is_minimal: bool) -> HttpResponse:
    """Answer a batch of CloudEvents that is empty, as the specification lets it be."""
    if stream is not None:
        await require_stream_async(caller, stream, Right.PRODUCE)
    answer = b'{"accepted":0,"ranges":[]}' if is_minimal else b'{"accepted":0,"events":[]}'
    response = LeanResponse(answer, status=202, content_type=JSON)
    if is_minimal:
        response["Preference-Applied"] = "return=minimal"
    return response


def _prefers_minimal(request: HttpRequest) -> bool:
    prefer = request.META.get("HTTP_PREFER")
    return prefer is not None and "return=minimal" in (part.strip().lower() for part in prefer.split(","))


def render_full(placement: Placement, ranges: Sequence[AppendedRange], *, is_single: bool) -> bytes:
    """The result of each event, in request order."""
    ids = encode_texts(placement.ids)
    repeated = sum(len(each.repeats) for each in ranges)
    is_plain = not repeated and all(len(each.runs) == 1 for each in ranges)
    results = _render_fresh(placement, ranges, ids) if is_plain else _render_each(placement, ranges, ids)
    if is_single:
        return results[0].encode()
    return f'{{"accepted":{len(results)},{_duplicates(repeated)}"events":[{",".join(results)}]}}'.encode()


def _render_fresh(placement: Placement, ranges: Sequence[AppendedRange], ids: Sequence[str]) -> list[str]:
    """All were stored now, side by side: what those of a range have in common is made once."""
    # A stream's name has nothing that JSON escapes.
    frames = [
        (
            f',"stream":"{each.partition.stream}","partition":{each.partition.number},"offset":',
            f',"recorded_at":"{format_time(each.recorded_at).decode()}","duplicate":false}}',
        )
        for each in ranges
    ]
    if placement.places is None:
        (middle, tail), first_offset = frames[0], ranges[0].first_offset
        return [f'{{"id":{id_}{middle}{offset}{tail}' for offset, id_ in enumerate(ids, first_offset)]
    firsts = [each.first_offset for each in ranges]
    return [
        f'{{"id":{id_}{frames[index][0]}{firsts[index] + position}{frames[index][1]}'
        for id_, (index, position) in zip(ids, placement.places, strict=True)
    ]


def _render_each(placement: Placement, ranges: Sequence[AppendedRange], ids: Sequence[str]) -> list[str]:
    return [
        f'{{"id":{id_},"stream":"{each.stream}","partition":{each.partition},"offset":{each.offset},'
        f'"recorded_at":"{format_time(each.recorded_at).decode()}",'
        f'"duplicate":{"true" if each.is_repeated else "false"}}}'
        for id_, each in zip(ids, stored_events(placement, ranges), strict=True)
    ]


def render_minimal(placement: Placement, ranges: Sequence[AppendedRange]) -> bytes:
    """How many were accepted, and the ranges of offsets that were given out; how many were there before, if any."""
    repeated = sum(len(each.repeats) for each in ranges)
    items = ",".join(
        f'{{"stream":"{each.partition.stream}","partition":{each.partition.number}'
        f',"first_offset":{run.first_offset},"last_offset":{run.last_offset}}}'
        for each in ranges
        for run in each.runs
    )
    return f'{{"accepted":{len(placement.ids)},{_duplicates(repeated)}"ranges":[{items}]}}'.encode()


def _duplicates(repeated: int) -> str:
    # Who does not deduplicate is answered as ever.
    return f'"duplicates":{repeated},' if repeated else ""
