"""`GET /streams/{stream}/events/{partition}/{offset}`: one event by its address."""

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from accounts.caller import caller_of
from accounts.database_threads import in_database_thread
from accounts.http.bodies import JSON
from accounts.http.lean import LeanView
from accounts.http.parameters import whole_number
from accounts.permissions import MayConsume
from accounts.roles import Right
from streams.api.cloudevent_schemas import CLOUDEVENT_OUT
from streams.api.cloudevents import CLOUDEVENT, wants
from streams.api.schemas import EventSerializer
from streams.cloudevents.outgoing import render_cloudevent
from streams.lookup import require_stream_async
from streams.queries import get_event


class EventView(LeanView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="get_event",
        tags=["Reading"],
        responses={(200, JSON): EventSerializer, (200, CLOUDEVENT): CLOUDEVENT_OUT},
    )
    async def get(self, request: HttpRequest, stream: str, partition: str, offset: str) -> HttpResponse:
        """Read one event; 410 where retention took it."""
        is_for_cloudevent = wants(request, CLOUDEVENT)
        found = await require_stream_async(caller_of(request), stream, Right.CONSUME)
        numbers = whole_number(partition, "partition"), whole_number(offset, "offset", low=1)
        event = await in_database_thread(lambda: get_event(found, *numbers))
        if is_for_cloudevent:
            event = render_cloudevent(event, stream=found.name)
        content_type = CLOUDEVENT if is_for_cloudevent else JSON
        # It may be erased at any moment: no cache on the way keeps it.
        return HttpResponse(event, content_type=content_type, headers={"Cache-Control": "no-store"})
