"""`POST /streams/{stream}/events/{partition}/{offset}/erase`: the payload of one event, gone for good."""

import orjson
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.parameters import whole_number
from accounts.http.views import StrictView
from accounts.permissions import MayManage
from accounts.roles import Right
from consumers.bodies.erasure import EraseEventSerializer, read_reason
from consumers.services.erasure import erase_event
from streams.api.schemas import EventSerializer
from streams.lookup import info_of
from streams.queries import get_stream


class EraseView(StrictView):
    permission_classes = (MayManage,)

    @extend_schema(
        operation_id="erase_event", tags=["Streams"], request=EraseEventSerializer, responses={200: EventSerializer}
    )
    @idempotent()
    def post(self, request: Request, stream: str, partition: str, offset: str) -> Response:
        """Erase an event's payload and headers for good, also from dead letters; its envelope stays.

        The answer is the event as everybody reads it from now on. A second time changes nothing.
        """
        found = info_of(get_stream(caller_of(request), stream, Right.MANAGE))
        number, position = whole_number(partition, "partition"), whole_number(offset, "offset", low=1)
        reason = read_reason(request.data)
        event = erase_event(stream=found, partition=number, offset=position, reason=reason, now=timezone.now())
        return Response(orjson.Fragment(event))
