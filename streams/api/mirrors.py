"""`/streams/{stream}/mirrors`: copies of a stream in topics of another engine."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.parsers import require_body
from accounts.http.views import StrictViewSet
from accounts.permissions import MayManage
from accounts.roles import Right
from streams.bodies import ChangeMirrorSerializer, CreateMirrorSerializer, read_new_mirror
from streams.mirror_standings import MirrorState, stand
from streams.models import Mirror, Stream
from streams.queries import get_mirror, get_stream, list_mirrors
from streams.services.mirrors import create_mirror, delete_mirror, switch_mirror, topic_for_mirror


class MirroredPartitionSerializer(serializers.Serializer):
    partition = serializers.IntegerField()
    position = serializers.IntegerField(help_text="Events up to here are in the topic, lost, or from before.")
    head_offset = serializers.IntegerField()
    lag = serializers.IntegerField(help_text="Events that are kept and not copied yet.")
    copied = serializers.IntegerField()
    lost = serializers.IntegerField(help_text="Events that retention took before they were copied.")
    doubled = serializers.IntegerField(help_text="Copies beside another one of the same event: there should be none.")


class MirrorErrorSerializer(serializers.Serializer):
    reason = serializers.CharField()
    at = serializers.DateTimeField()


class MirrorSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="mirror.pk")
    engine = serializers.CharField(source="mirror.engine")
    topic = serializers.CharField(source="mirror.topic")
    state = serializers.ChoiceField(
        choices=[each.value for each in MirrorState],
        help_text="`waiting`: no worker has it. `failing`: `last_error` says why; it is tried again and again.",
    )
    since = serializers.DateTimeField(help_text="When the state began.")
    paused = serializers.BooleanField(source="mirror.is_paused")
    lag = serializers.IntegerField(help_text="Events of all partitions that are kept and not copied yet.")
    copied = serializers.IntegerField()
    lost = serializers.IntegerField()
    doubled = serializers.IntegerField()
    failures = serializers.IntegerField(source="mirror.failure_count", help_text="How often it could not go on, ever.")
    last_error = MirrorErrorSerializer(allow_null=True)
    created_at = serializers.DateTimeField(source="mirror.created_at")
    partitions = MirroredPartitionSerializer(many=True)


class EndedMirrorSerializer(serializers.Serializer):
    engine = serializers.CharField()
    topic = serializers.CharField()
    detail = serializers.CharField()


def _make_topic(request: Request) -> str | None:
    """Make the topic of a new mirror: before the transaction that makes the mirror."""
    stream = _managed(request, (request.parser_context or {})["kwargs"]["stream"])
    return topic_for_mirror(caller=caller_of(request), stream=stream, settings=read_new_mirror(request.data))


@extend_schema(tags=["Streams"])
class MirrorViewSet(StrictViewSet):
    permission_classes = (MayManage,)
    serializer_class = MirrorSerializer
    queryset = Mirror.objects.none()
    keyset = ("pk",)

    @extend_schema(operation_id="list_mirrors")
    def list(self, request: Request, stream: str) -> Response:
        """List the topics that a stream is copied into, and how far."""
        row = _managed(request, stream)
        page = self.paginate_queryset(list_mirrors(row))
        standings = stand(row, page or [], now=timezone.now())
        return self.get_paginated_response(MirrorSerializer(standings, many=True).data)

    @extend_schema(operation_id="create_mirror", request=CreateMirrorSerializer, responses={201: MirrorSerializer})
    @idempotent(prepare=_make_topic)
    def create(self, request: Request, topic: str | None, stream: str) -> Response:
        """Copy a stream's events into a topic of an engine, as CloudEvents, each once and in order.

        The topic is made if it is missing, with as many partitions as the stream has. Any other name than the
        engine's prefix and the stream's name is an admin's to give.
        """
        row = _managed(request, stream)
        mirror = create_mirror(stream=row, settings=read_new_mirror(request.data), topic=topic)
        headers = {"Location": f"/api/v1/streams/{row.name}/mirrors/{mirror.pk}"}
        return Response(_shown(row, mirror), status=201, headers=headers)

    @extend_schema(operation_id="get_mirror", responses={200: MirrorSerializer})
    def retrieve(self, request: Request, stream: str, mirror_id: str) -> Response:
        """Look at one mirror: what it does, how far it is, and what went wrong last."""
        row = _managed(request, stream)
        return Response(_shown(row, get_mirror(row, mirror_id)))

    @extend_schema(operation_id="change_mirror", request=ChangeMirrorSerializer, responses={200: MirrorSerializer})
    def partial_update(self, request: Request, stream: str, mirror_id: str) -> Response:
        """Pause a mirror, or let it go on where it was."""
        row = _managed(request, stream)
        mirror = get_mirror(row, mirror_id)
        require_body(request)
        is_paused = ChangeMirrorSerializer.checked(request.data).validated_data.get("paused", mirror.is_paused)
        return Response(_shown(row, switch_mirror(mirror=mirror, is_paused=is_paused)))

    @extend_schema(operation_id="delete_mirror", responses={200: EndedMirrorSerializer})
    def destroy(self, request: Request, stream: str, mirror_id: str) -> Response:
        """Copy nothing more; the topic stays, and what is in it."""
        mirror = get_mirror(_managed(request, stream), mirror_id)
        delete_mirror(mirror=mirror)
        detail = f"Nothing more is copied. The topic {mirror.topic} stays as it is; delete it with Kafka's tools."
        return Response({"engine": mirror.engine, "topic": mirror.topic, "detail": detail})


def _shown(stream: Stream, mirror: Mirror) -> dict[str, Any]:
    [standing] = stand(stream, [mirror], now=timezone.now())
    return dict(MirrorSerializer(standing).data)


def _managed(request: Request, stream: str) -> Stream:
    return get_stream(caller_of(request), stream, Right.MANAGE)
