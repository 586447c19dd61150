"""`POST /events` and `POST /streams/{stream}/events`: the verb that everything else follows from."""

import time
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.permissions import BasePermission

from accounts.api.bodies import JSON, read_body
from accounts.api.idempotent import IDEMPOTENCY_KEY_SCHEMA, hash_request, idempotency_key_of
from accounts.api.lean import LeanView
from accounts.api.parameters import known_parameters
from accounts.caller import caller_of
from accounts.permissions import MayProduce
from streams.api.schemas import APPENDED, EVENTS_IN
from streams.conf import MAX_REQUEST_BYTES
from streams.envelope import decode_events
from streams.log.protocol import AppendedRange
from streams.log.times import format_time
from streams.metrics import count_append
from streams.services.ingest import Idempotency, Placement, append_events, encode_text, offsets_of

NDJSON = "application/x-ndjson"
MEDIA_TYPES = (JSON, NDJSON)
APPEND_OPERATION: dict[str, Any] = {
    "tags": ["Producing"],
    "request": {
        JSON: EVENTS_IN,
        NDJSON: OpenApiTypes.STR,
    },
    "parameters": [
        OpenApiParameter(
            "Idempotency-Key", IDEMPOTENCY_KEY_SCHEMA, "header", description="Any number of retries stores once."
        ),
        OpenApiParameter("Prefer", OpenApiTypes.STR, "header", enum=["return=minimal", "return=representation"]),
    ],
    "responses": {202: OpenApiResponse(APPENDED, description="Durable: stored and committed.")},
    "examples": [
        OpenApiExample(
            "one event",
            {"stream": "orders", "type": "order.created", "payload": {"order_id": 42}, "key": "customer-7"},
            request_only=True,
        )
    ],
}


class AppendView(LeanView):
    permission_classes: tuple[type[BasePermission], ...] = (MayProduce,)

    @extend_schema(operation_id="append_events", **APPEND_OPERATION)
    def post(self, request: HttpRequest, stream: str | None = None) -> HttpResponse:
        """Append one event, an array of events, or NDJSON: all or nothing. 202 means durable."""
        started = time.perf_counter()
        known_parameters(request, ())
        key = idempotency_key_of(request)
        media_type, body = read_body(request, limit=MAX_REQUEST_BYTES, media_types=MEDIA_TYPES)
        is_minimal = _prefers_minimal(request)
        events, is_single = decode_events(body, is_ndjson=media_type == NDJSON)

        def render(placement: Placement, ranges: Sequence[AppendedRange]) -> bytes:
            if is_minimal and not is_single:
                return render_minimal(placement, ranges)
            return render_full(placement, ranges, is_single=is_single)

        idempotency = key and Idempotency(key, hash_request("POST", request.path, b"%d" % is_minimal + body))
        appended, answer = append_events(
            caller=caller_of(request),
            events=events,
            is_single=is_single,
            stream_name=stream,
            render=render,
            idempotency=idempotency or None,
        )
        response = HttpResponse(answer, status=202, content_type=JSON)
        if appended.is_replay:
            response["Idempotent-Replayed"] = "true"
            return response
        if is_minimal and not is_single:
            response["Preference-Applied"] = "return=minimal"
        count_append(events=len(events), seconds=time.perf_counter() - started)
        return response


def _prefers_minimal(request: HttpRequest) -> bool:
    prefer = request.META.get("HTTP_PREFER")
    return prefer is not None and "return=minimal" in (part.strip().lower() for part in prefer.split(","))


def render_full(placement: Placement, ranges: Sequence[AppendedRange], *, is_single: bool) -> bytes:
    """The result of each event, in request order."""
    heads = {
        id(each): (
            b'","stream":' + encode_text(each.partition.stream) + b',"partition":%d,"offset":' % each.partition.number,
            b',"recorded_at":"' + format_time(each.recorded_at) + b'","duplicate":false}',
        )
        for each in ranges
    }
    results = []
    for event_id, (each, offset) in zip(placement.ids, offsets_of(placement, ranges), strict=True):
        middle, tail = heads[id(each)]
        results.append(b'{"id":' + encode_text(event_id)[:-1] + middle + b"%d" % offset + tail)
    if is_single:
        return results[0]
    return b'{"accepted":%d,"events":[' % len(results) + b",".join(results) + b"]}"


def render_minimal(placement: Placement, ranges: Sequence[AppendedRange]) -> bytes:
    """How many were accepted, and the ranges of offsets they have."""
    items = b",".join(
        b'{"stream":%b,"partition":%d,"first_offset":%d,"last_offset":%d}'
        % (encode_text(each.partition.stream), each.partition.number, each.first_offset, each.last_offset)
        for each in ranges
    )
    return b'{"accepted":%d,"ranges":[' % len(placement.ids) + items + b"]}"
