"""`POST …/{group}/lease`: take events to work on."""

from dataclasses import replace
from functools import partial

import msgspec
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema

from accounts.caller import caller_of
from accounts.http.bodies import JSON
from accounts.http.lean import LeanView
from accounts.http.lean_response import LeanResponse
from accounts.long_work import off_the_loop_if_long
from accounts.permissions import MayConsume
from consumers.api.bodies import LeaseRequest, check_consumer, decode_body
from consumers.api.schemas import LOST, LeasedSerializer
from consumers.api.standing import find_stream_and_group, standing_of
from consumers.services.leasing import Leased, LeasedDelivery, lease_deliveries_async
from consumers.services.members import note_member_async
from consumers.services.waiting import waiting_place
from streams.api.cloudevents import CLOUDEVENT_BATCH, wants
from streams.cloudevents.outgoing import render_cloudevent
from streams.times import format_time

_decoder = msgspec.json.Decoder(LeaseRequest)


class LeaseView(LeanView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="lease_deliveries",
        tags=["Lease mode"],
        request=LeaseRequest,
        parameters=[LOST],
        responses={200: OpenApiResponse(LeasedSerializer)},
    )
    async def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        """Lease events: nobody else of the group gets them until `expires_at`. Wait for some if there are none.

        A paused group answers with nothing. `gaps` tells what retention took before the group was given it. `isolating`
        tells that a consumer died with events which come again in small pieces, beside the rest. With
        `Accept: application/cloudevents-batch+json` the events of each delivery are CloudEvents.
        """
        is_for_cloudevents = wants(request, CLOUDEVENT_BATCH)
        body = await decode_body(request, _decoder)
        await self.admit_after_body(request)
        found, wanted = await find_stream_and_group(request, stream, group)
        consumer = body.consumer or caller_of(request).reference
        check_consumer(consumer)
        with waiting_place(caller_of(request), body.wait):
            leased = await lease_deliveries_async(
                stream=found,
                group=wanted,
                consumer=consumer,
                max_events=body.max_events,
                ack_wait_seconds=body.ack_wait,
                wait_seconds=body.wait,
                standing=standing_of(self, request, found, wanted),
            )
        request.waited_seconds = leased.waited_seconds  # type: ignore[attr-defined]
        await note_member_async(group_id=wanted.pk, name=consumer)
        request.leased = leased.deliveries  # type: ignore[attr-defined]
        if is_for_cloudevents:
            turn = partial(in_cloudevents, leased, stream=found.name)
            leased = await off_the_loop_if_long(
                turn, size=sum(len(event) for each in leased.deliveries for event in each.events)
            )
        response = LeanResponse(render(leased), content_type=JSON)
        if leased.lost:
            response["EventFlow-Lost"] = str(leased.lost)
        response["Cache-Control"] = "no-store"
        return response


def in_cloudevents(leased: Leased, *, stream: str) -> Leased:
    """The same with each event as a CloudEvent: the deliveries around them have no such form."""
    deliveries = [
        replace(each, events=[render_cloudevent(event, stream=stream) for event in each.events])
        for each in leased.deliveries
    ]
    return replace(leased, deliveries=deliveries)


def render(leased: Leased) -> bytes:
    """The answer as bytes: events are put in as the log has them."""
    gaps = b",".join(
        b'{"partition":%d,"first_offset":%d,"last_offset":%d}' % (gap.partition, gap.first_offset, gap.last_offset)
        for gap in leased.gaps
    )
    standing = b'"isolating":%b,"suspected":%d' % (b"true" if leased.is_isolating else b"false", leased.suspected)
    deliveries = b",".join(map(_render_delivery, leased.deliveries))
    return b'{"deliveries":[' + deliveries + b'],"gaps":[' + gaps + b"]," + standing + b"}"


def _render_delivery(delivery: LeasedDelivery) -> bytes:
    return b"".join(
        (
            b'{"delivery_id":%d,"lease_token":"%b","partition":%d,"first_offset":%d,"last_offset":%d,'
            b'"delivery_count":%d,"failure_count":%d,"round":%d,"dead_letter_id":%b,"expires_at":"%b","events":['
            % (
                delivery.id,
                str(delivery.token).encode(),
                delivery.partition,
                delivery.first_offset,
                delivery.last_offset,
                delivery.delivery_count,
                delivery.failure_count,
                delivery.round,
                b"null" if delivery.dead_letter_id is None else b"%d" % delivery.dead_letter_id,
                format_time(delivery.expires_at),
            ),
            b",".join(delivery.events),
            b"]}",
        )
    )
