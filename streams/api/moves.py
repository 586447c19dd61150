"""`/streams/{stream}/moves`: let a stream lie in another engine, and see how far that has come."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictViewSet
from accounts.permissions import MayManage
from accounts.roles import Right
from streams.bodies import MoveStreamSerializer, read_move
from streams.models import MoveState, Stream, StreamMove
from streams.queries import get_move, get_stream
from streams.services.moving.asking import abort_move, begin_move
from streams.services.moving.plan import MovePlan, PartitionMove, foresee_move, partitions_of


class PartitionMoveSerializer(serializers.Serializer):
    partition = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["waiting", "fencing", "moved", "kept"])
    first_offset = serializers.IntegerField(allow_null=True, help_text="From here on its events lie there; null: none.")


class MoveSerializer(serializers.Serializer):
    """A move, as it stands now."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=MoveState.values)
    to = serializers.CharField(source="target", help_text="Alias of the engine to which new events go.")
    allow_weak = serializers.BooleanField()
    partitions = serializers.SerializerMethodField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField(allow_blank=True, help_text="What stands in the way, or stood; empty: nothing.")

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["from"] = serializers.CharField(source="source", help_text="Alias of the engine that they went to.")
        return fields

    @extend_schema_field(PartitionMoveSerializer(many=True))
    def get_partitions(self, move: StreamMove) -> list[PartitionMove]:
        return [each._asdict() for each in partitions_of(move)]  # type: ignore[misc]


class MovePlanSerializer(serializers.Serializer):
    """What a move would change, and what stands in its way. Nothing was changed."""

    to = serializers.CharField(source="target")
    partitions = serializers.IntegerField()
    refusals = serializers.ListField(
        child=serializers.CharField(), help_text="What stands in the way; with none of it the move can begin."
    )
    warnings = serializers.ListField(child=serializers.CharField(), help_text="What is different there.")

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["from"] = serializers.CharField(source="source")
        return fields


def _foresee(request: Request) -> tuple[Stream, MovePlan]:
    """Ask both engines, before the transaction that begins the move."""
    stream = _managed(request, request.parser_context["kwargs"]["stream"])
    wanted = read_move(request.data)
    return stream, foresee_move(stream=stream, target=wanted.to, allow_weak=wanted.allow_weak)


@extend_schema(tags=["Streams"])
class StreamMoveViewSet(StrictViewSet):
    permission_classes = (MayManage,)
    serializer_class = MoveSerializer
    queryset = StreamMove.objects.none()
    keyset = ("-pk",)

    @extend_schema(operation_id="list_stream_moves")
    def list(self, request: Request, stream: str) -> Response:
        """List the moves of a stream that you manage, the newest first."""
        page = self.paginate_queryset(_managed(request, stream).moves.select_related("stream"))
        return self.get_paginated_response(MoveSerializer(page, many=True).data)

    @extend_schema(
        operation_id="move_stream",
        request=MoveStreamSerializer,
        responses={
            202: MoveSerializer,
            200: PolymorphicProxySerializer("MoveForecast", [MovePlanSerializer], resource_type_field_name=None),
        },
    )
    @idempotent(prepare=_foresee)
    def create(self, request: Request, foreseen: tuple[Stream, MovePlan], stream: str) -> Response:
        """Move a stream to another engine while it is used; a worker does it, within seconds.

        Offsets, groups, leases and keys stay as they are. Events that are stored stay where they are, and leave by
        retention. Appends wait for about a second. With `dry_run` you are told what would change and what stands in the
        way, and nothing is done.
        """
        row, plan = foreseen
        wanted = read_move(request.data)
        if wanted.dry_run:
            return Response(MovePlanSerializer(plan).data)
        move = begin_move(stream=row, plan=plan, allow_weak=wanted.allow_weak)
        headers = {"Location": f"/api/v1/streams/{row.name}/moves/{move.pk}"}
        return Response(MoveSerializer(move).data, status=202, headers=headers)

    @extend_schema(operation_id="get_stream_move", responses={200: MoveSerializer})
    def retrieve(self, request: Request, stream: str, move_id: str) -> Response:
        """Look how far one move has come, and what stands in its way."""
        return Response(MoveSerializer(get_move(_managed(request, stream), move_id)).data)

    @extend_schema(operation_id="end_stream_move", responses={200: MoveSerializer})
    def destroy(self, request: Request, stream: str, move_id: str) -> Response:
        """End a move before it has come about: the stream stays where it is, and takes appends there again."""
        move = abort_move(move=get_move(_managed(request, stream), move_id))
        return Response(MoveSerializer(move).data)


def _managed(request: Request, stream: str) -> Stream:
    return get_stream(caller_of(request), stream, Right.MANAGE)
