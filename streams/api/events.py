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
from streams.api.schemas import EventSerializer
from streams.lookup import require_stream_async
from streams.queries import get_event


class EventView(LeanView):
    permission_classes = (MayConsume,)

    @extend_schema(operation_id="get_event", tags=["Reading"], responses={200: EventSerializer})
    async def get(self, request: HttpRequest, stream: str, partition: str, offset: str) -> HttpResponse:
        """Read one event; 410 where retention took it."""
        found = await require_stream_async(caller_of(request), stream, Right.CONSUME)
        numbers = whole_number(partition, "partition"), whole_number(offset, "offset", low=1)
        event = await in_database_thread(lambda: get_event(found, *numbers))
        # It may be erased at any moment: no cache on the way keeps it.
        return HttpResponse(event, content_type=JSON, headers={"Cache-Control": "no-store"})
