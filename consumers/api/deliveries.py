"""`…/{group}/deliveries`: what is in flight, waiting or exhausted, and what its managers do with one by hand."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.parameters import choice_parameter
from accounts.http.views import StrictView, StrictViewSet
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.api.schemas import DeliverySerializer
from consumers.bodies.deliveries import ReleaseDeliverySerializer, read_release
from consumers.delivery_queries import list_deliveries
from consumers.models import ConsumerGroup, Delivery
from consumers.queries import get_group, require_group
from consumers.services.leasing.by_hand import release_delivery, retry_delivery_now
from consumers.states import PRESENT_STATES
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
        parameters=[
            OpenApiParameter(
                "state",
                OpenApiTypes.STR,
                enum=PRESENT_STATES,
                description="Where it stands at this moment.",
            )
        ],
    )
    def list(self, request: Request, stream: str, group: str) -> Response:
        """List what is not finished: by whom, since when, with its last error."""
        state = choice_parameter(self.query, "state", PRESENT_STATES)
        found = get_group(require_stream(caller_of(request), stream, Right.CONSUME), group)
        page = self.paginate_queryset(list_deliveries(found, state))
        return self.get_paginated_response(DeliverySerializer(page, many=True).data)


class RetryNowView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="retry_delivery_now", tags=["Lease mode"], request=None, responses={200: DeliverySerializer}
    )
    @idempotent()
    def post(self, request: Request, stream: str, group: str, delivery_id: str) -> Response:
        """Let what waits for its next attempt be handed out at once, whatever its backoff.

        409 `delivery_not_waiting` if a consumer has leased it meanwhile, or no attempt is left.
        """
        managed = _managed(request, stream, group)
        return Response(DeliverySerializer(retry_delivery_now(group=managed, delivery_id=delivery_id)).data)


class ReleaseDeliveryView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="release_delivery",
        tags=["Lease mode"],
        request=ReleaseDeliverySerializer,
        responses={200: DeliverySerializer},
    )
    @idempotent()
    def post(self, request: Request, stream: str, group: str, delivery_id: str) -> Response:
        """Take a delivery from its consumer, as if that had released it: available at once, not counted as failed.

        The consumer is not asked: it works on, and its ack is refused with `lease_lost`. 409 `delivery_not_leased` if
        nobody holds it, or, where `delivery_count` is given, if it was leased again meanwhile.
        """
        managed = _managed(request, stream, group)
        count = read_release(request.data)
        released = release_delivery(group=managed, delivery_id=delivery_id, delivery_count=count)
        return Response(DeliverySerializer(released).data)


def _managed(request: Request, stream: str, group: str) -> ConsumerGroup:
    caller = caller_of(request)
    return require_group(caller, require_stream(caller, stream, Right.CONSUME), group, GroupRight.MANAGE)
