"""`/streams/{stream}/grants`: who else may produce to, consume or manage a stream."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.grants import GivenGrantSerializer
from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictViewSet
from accounts.permissions import MayManage
from accounts.queries import find_grantee
from accounts.roles import Right
from streams.bodies import GrantStreamSerializer, read_stream_grant
from streams.models import Stream, StreamGrant
from streams.queries import get_stream
from streams.services.grants import grant_stream, revoke_stream_grant


@extend_schema(tags=["Streams"])
class StreamGrantViewSet(StrictViewSet):
    permission_classes = (MayManage,)
    serializer_class = GivenGrantSerializer
    queryset = StreamGrant.objects.none()
    keyset = ("pk",)

    @extend_schema(operation_id="list_stream_grants")
    def list(self, request: Request, stream: str) -> Response:
        """List who was given which rights to a stream that you manage, beside its owner."""
        page = self.paginate_queryset(_managed(request, stream).grants.select_related("user", "team"))
        return self.get_paginated_response(GivenGrantSerializer(page, many=True).data)

    @extend_schema(
        operation_id="grant_stream",
        request=GrantStreamSerializer,
        responses={201: GivenGrantSerializer, 200: GivenGrantSerializer},
    )
    @idempotent()
    def create(self, request: Request, stream: str) -> Response:
        """Give a user or a team exactly these rights; 200 where they had others before, which these replace."""
        row = _managed(request, stream)
        wanted, rights = read_stream_grant(request.data)
        grant, is_new = grant_stream(stream=row, to=find_grantee(**wanted), rights=rights, caller=caller_of(request))
        return Response(GivenGrantSerializer(grant).data, status=201 if is_new else 200)

    @extend_schema(operation_id="revoke_stream_grant", responses={204: None})
    def destroy(self, request: Request, stream: str, grant_id: str) -> Response:
        """Take a grant back: it ends within a second everywhere, also for who waits."""
        revoke_stream_grant(stream=_managed(request, stream), grant_id=grant_id)
        return Response(status=204)


def _managed(request: Request, stream: str) -> Stream:
    return get_stream(caller_of(request), stream, Right.MANAGE)
