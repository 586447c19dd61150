"""`POST /dead-letters/redrive`, `/dead-letters/discard`: many at once, counted first."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictView, StrictViewSet
from accounts.permissions import MayConsume
from consumers.api.schemas import BulkActionSerializer, BulkPreviewSerializer
from consumers.bodies.dead_letters import BulkSerializer
from consumers.bulk_action_queries import get_bulk_action, list_bulk_actions
from consumers.dead_letter_queries import list_managed_groups
from consumers.dead_letter_search import DeadLetterFilter
from consumers.models import BulkAction, BulkKind
from consumers.services.dead_letters.bulk import preview_bulk_action, start_bulk_action
from consumers.services.dead_letters.cancel import cancel_bulk_action

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
            per_second=body.validated_data.get("per_second"),
        )
        return Response(BulkActionSerializer(action).data, status=200 if action.finished_at else 202)


class BulkRedriveView(_BulkView):
    kind = BulkKind.REDRIVE

    @extend_schema(operation_id="redrive_dead_letters", **_OPERATION)
    @idempotent()
    def post(self, request: Request) -> Response:
        """Send all open dead letters that the filter finds to their groups again, of those that you manage.

        `dry_run` counts them; with `per_second` no more go in a second.
        """
        return self._answer(request)


class BulkDiscardView(_BulkView):
    kind = BulkKind.DISCARD

    @extend_schema(operation_id="discard_dead_letters", **_OPERATION)
    @idempotent()
    def post(self, request: Request) -> Response:
        """Give up on all open dead letters that the filter finds, of groups that you manage.

        `dry_run` counts them; with `per_second` no more go in a second.
        """
        return self._answer(request)


@extend_schema(tags=["Dead letters"])
class BulkActionsViewSet(StrictViewSet):
    permission_classes = (MayConsume,)
    serializer_class = BulkActionSerializer
    queryset = BulkAction.objects.none()
    keyset = ("-id",)

    @extend_schema(operation_id="list_bulk_actions")
    def list(self, request: Request) -> Response:
        """List bulk redrives and discards, newest first: what you asked for, and what is on groups that you manage."""
        page = self.paginate_queryset(list_bulk_actions(caller_of(request)))
        return self.get_paginated_response(BulkActionSerializer(page, many=True).data)

    @extend_schema(operation_id="get_bulk_action", responses={200: BulkActionSerializer})
    def retrieve(self, request: Request, action_id: str) -> Response:
        """How far a bulk redrive or discard has come."""
        return Response(BulkActionSerializer(get_bulk_action(caller_of(request), action_id)).data)


class CancelBulkActionView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="cancel_bulk_action", tags=["Dead letters"], request=None, responses={200: BulkActionSerializer}
    )
    @idempotent()
    def post(self, request: Request, action_id: str) -> Response:
        """End it where it stands: what was done stays done, nothing is done afterwards.

        For whoever asked for it, whoever manages all its groups, and admins. One that was cancelled before is answered
        as it is; 409 `bulk_action_finished` if it had come to its end.
        """
        caller = caller_of(request)
        action = get_bulk_action(caller, action_id)
        cancel_bulk_action(action=action, cancelled_by=caller.reference)
        return Response(BulkActionSerializer(action).data)
