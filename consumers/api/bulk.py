"""`POST /dead-letters/redrive`, `/dead-letters/discard`: many at once, counted first."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictView
from accounts.permissions import MayConsume
from consumers.api.schemas import BulkActionSerializer, BulkPreviewSerializer
from consumers.bodies.dead_letters import BulkSerializer
from consumers.dead_letter_queries import DeadLetterFilter, get_bulk_action, list_managed_groups
from consumers.models import BulkKind
from consumers.services.dead_letters.bulk import preview_bulk_action, start_bulk_action

_OPERATION: dict[str, Any] = {
    "tags": ["Dead letters"],
    "request": BulkSerializer,
    "responses": {
        200: PolymorphicProxySerializer(
            "BulkAnswer", [BulkPreviewSerializer, BulkActionSerializer], resource_type_field_name=None
        ),
        202: OpenApiResponse(BulkActionSerializer, description="Many: done step by step; look at its progress."),
    },
}


class _BulkView(StrictView):
    permission_classes = (MayConsume,)
    kind: BulkKind

    def _answer(self, request: Request) -> Response:
        body = BulkSerializer.checked(request.data)
        wanted = DeadLetterFilter(**body.validated_data["filter"])
        groups = list_managed_groups(caller_of(request), wanted)
        if body.validated_data["dry_run"]:
            preview = preview_bulk_action(kind=self.kind, groups=groups, wanted=wanted)
            return Response(BulkPreviewSerializer(preview).data)
        action = start_bulk_action(
            kind=self.kind,
            groups=groups,
            wanted=wanted,
            requested_by=caller_of(request).reference,
            note=body.validated_data["note"],
        )
        return Response(BulkActionSerializer(action).data, status=200 if action.finished_at else 202)


class BulkRedriveView(_BulkView):
    kind = BulkKind.REDRIVE

    @extend_schema(operation_id="redrive_dead_letters", **_OPERATION)
    @idempotent()
    def post(self, request: Request) -> Response:
        """Send all open dead letters that the filter finds to their groups again, of those that you manage.

        `dry_run` counts them.
        """
        return self._answer(request)


class BulkDiscardView(_BulkView):
    kind = BulkKind.DISCARD

    @extend_schema(operation_id="discard_dead_letters", **_OPERATION)
    @idempotent()
    def post(self, request: Request) -> Response:
        """Give up on all open dead letters that the filter finds, of groups that you manage; `dry_run` counts them."""
        return self._answer(request)


class BulkActionView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(operation_id="get_bulk_action", tags=["Dead letters"], responses={200: BulkActionSerializer})
    def get(self, request: Request, action_id: str) -> Response:
        """How far a bulk redrive or discard has come."""
        action = get_bulk_action(caller_of(request), action_id)
        return Response(BulkActionSerializer(action).data)
