"""`/streams/{stream}/consumer-groups/{group}/grants`: who else may use or manage a group."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.grants import GivenGrantSerializer
from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictViewSet
from accounts.permissions import MayConsume
from accounts.queries import find_grantee
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.bodies.groups import GrantGroupSerializer, read_group_grant
from consumers.models import ConsumerGroup, GroupGrant
from consumers.queries import require_group
from consumers.services.grants import grant_group, revoke_group_grant
from streams.lookup import StreamInfo, require_stream


@extend_schema(tags=["Consumer groups"])
class GroupGrantViewSet(StrictViewSet):
    permission_classes = (MayConsume,)
    serializer_class = GivenGrantSerializer
    queryset = GroupGrant.objects.none()
    keyset = ("pk",)

    @extend_schema(operation_id="list_group_grants")
    def list(self, request: Request, stream: str, group: str) -> Response:
        """List who was given which rights to a group that you manage, beside its owner."""
        _, found = _managed(request, stream, group)
        page = self.paginate_queryset(found.grants.select_related("user", "team"))
        return self.get_paginated_response(GivenGrantSerializer(page, many=True).data)

    @extend_schema(
        operation_id="grant_group",
        request=GrantGroupSerializer,
        responses={201: GivenGrantSerializer, 200: GivenGrantSerializer},
    )
    @idempotent()
    def create(self, request: Request, stream: str, group: str) -> Response:
        """Give a user or a team exactly these rights; 200 where they had others before, which these replace."""
        info, found = _managed(request, stream, group)
        wanted, rights = read_group_grant(request.data)
        grant, is_new = grant_group(
            stream=info, group=found, to=find_grantee(**wanted), rights=rights, caller=caller_of(request)
        )
        return Response(GivenGrantSerializer(grant).data, status=201 if is_new else 200)

    @extend_schema(operation_id="revoke_group_grant", responses={204: None})
    def destroy(self, request: Request, stream: str, group: str, grant_id: str) -> Response:
        """Take a grant back: it ends within a second everywhere, also for who waits."""
        _, found = _managed(request, stream, group)
        revoke_group_grant(group=found, grant_id=grant_id)
        return Response(status=204)


def _managed(request: Request, stream: str, group: str) -> tuple[StreamInfo, ConsumerGroup]:
    caller = caller_of(request)
    info = require_stream(caller, stream, Right.CONSUME)
    return info, require_group(caller, info, group, GroupRight.MANAGE)
