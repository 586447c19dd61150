"""`GET /streams/{stream}/events/{partition}/{offset}/timeline`: what happened to this event?"""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.parameters import whole_number
from accounts.http.views import StrictView
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.api.schemas import TimelineSerializer
from consumers.timeline import get_timeline
from streams.lookup import require_stream


class TimelineView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(operation_id="get_timeline", tags=["Dead letters"], responses={200: TimelineSerializer})
    def get(self, request: Request, stream: str, partition: str, offset: str) -> Response:
        """Where one event stands in each group of its stream, and what did not go smoothly."""
        found = require_stream(caller_of(request), stream, Right.CONSUME)
        timeline = get_timeline(found, whole_number(partition, "partition"), whole_number(offset, "offset", low=1))
        return Response(TimelineSerializer(timeline).data)
