"""`GET /streams/{stream}/events/{partition}/{offset}`: one event by its address."""

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from accounts.caller import caller_of
from accounts.errors import InvalidParameter
from accounts.http.bodies import JSON
from accounts.http.lean import LeanView
from accounts.permissions import MayConsume
from accounts.roles import Right
from streams.api.schemas import EventSerializer
from streams.conf import MAX_OFFSET
from streams.lookup import require_stream
from streams.queries import get_event


def parse_offset(text: str, name: str = "offset", *, low: int = 0) -> int:
    """Return an offset or partition number from an address; only plain digits will do."""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or (len(text) > 1 and text[0] == "0"):
        raise InvalidParameter(name, "Must be a whole number in decimal digits.")
    if not low <= int(text) <= MAX_OFFSET:
        raise InvalidParameter(name, f"Must be a whole number from {low} to {MAX_OFFSET}.")
    return int(text)


class EventView(LeanView):
    permission_classes = (MayConsume,)

    @extend_schema(operation_id="get_event", tags=["Reading"], responses={200: EventSerializer})
    def get(self, request: HttpRequest, stream: str, partition: str, offset: str) -> HttpResponse:
        """Read one event; 410 where retention took it."""
        found = require_stream(caller_of(request), stream, Right.CONSUME)
        event = get_event(found, parse_offset(partition, "partition"), parse_offset(offset, low=1))
        return HttpResponse(event, content_type=JSON)
