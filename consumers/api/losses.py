"""`POST …/{group}/acknowledge-loss`: somebody knows what the group has lost."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictView
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.bodies.losses import AcknowledgeLossSerializer, read_acknowledgment
from consumers.queries import require_group
from consumers.services.losses import acknowledge_loss
from streams.lookup import require_stream


class AcknowledgmentSerializer(serializers.Serializer):
    acknowledged = serializers.IntegerField(help_text="Lost events that this settled; 0: somebody had done so before.")
    lost = serializers.IntegerField(help_text="Lost events that nobody has acknowledged yet.")
    lost_total = serializers.IntegerField(help_text="All that the group has ever lost.")


class AcknowledgeLossView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="acknowledge_loss",
        tags=["Consumer groups"],
        request=AcknowledgeLossSerializer,
        responses={200: AcknowledgmentSerializer},
    )
    @idempotent()
    def post(self, request: Request, stream: str, group: str) -> Response:
        """Say that what the group has lost to retention is known, up to the `lost_total` that you saw.

        Nothing comes back by this: the loss is no longer shown. What the group loses later is.
        """
        caller = caller_of(request)
        found = require_stream(caller, stream, Right.CONSUME)
        managed = require_group(caller, found, group, GroupRight.MANAGE)
        done = acknowledge_loss(stream=found, group=managed, lost_total=read_acknowledgment(request.data))
        return Response(AcknowledgmentSerializer(done).data)
