"""`GET …/{group}/deliveries`: what is in flight, waiting or exhausted."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.errors import InvalidParameter
from accounts.http.views import StrictViewSet
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.api.schemas import DeliverySerializer
from consumers.models import Delivery
from consumers.queries import get_group, list_deliveries
from consumers.states import DeliveryState
from streams.lookup import require_stream


@extend_schema(tags=["Lease mode"])
class DeliveriesViewSet(StrictViewSet):
    permission_classes = (MayConsume,)
    serializer_class = DeliverySerializer
    queryset = Delivery.objects.none()
    keyset = ("id",)
    query_parameters = {"list": ("state",)}

    @extend_schema(
        operation_id="list_deliveries",
        parameters=[OpenApiParameter("state", OpenApiTypes.STR, enum=[state.value for state in DeliveryState])],
    )
    def list(self, request: Request, stream: str, group: str) -> Response:
        """List what is not finished: by whom, since when, with its last error."""
        state = request.query_params.get("state")
        if state is not None and state not in set(DeliveryState):
            raise InvalidParameter("state", f"Must be one of {', '.join(DeliveryState)}.")
        found = get_group(require_stream(caller_of(request), stream, Right.CONSUME), group)
        page = self.paginate_queryset(list_deliveries(found, state))
        return self.get_paginated_response(DeliverySerializer(page, many=True).data)
