"""`/streams`: create, list, look at, change, delete."""

import django_filters
from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.parameters import boolean_parameter
from accounts.http.parsers import require_body
from accounts.http.versions import ETAG, IF_MATCH, IF_NONE_MATCH, answer_with_version, expected_versions
from accounts.http.views import StrictViewSet
from accounts.names import NAME_PATTERN
from accounts.permissions import MayManageUnlessReading
from accounts.queries import find_owner
from accounts.roles import Right
from accounts.services.owners import new_owner_of
from accounts.services.versions import check_version
from streams.api.schemas import PartitionGrowthSerializer, RetentionLossSerializer, StreamForecastSerializer
from streams.bodies import (
    EXTERNAL,
    MANAGED,
    ChangeStreamSerializer,
    CreateStreamSerializer,
    RetentionSerializer,
    read_new_stream,
    read_stream_changes,
)
from streams.log.protocol import Capability
from streams.models import Stream, Validation, Visibility
from streams.queries import capabilities_of_stream, get_stream
from streams.services.lifecycle import change_stream, create_stream, delete_stream, place_for_stream
from streams.services.partition_changes import find_partition_growth
from streams.services.places import Place
from streams.services.retention_changes import foresee_retention
from streams.visible import list_streams


class StreamSerializer(serializers.Serializer):
    name = serializers.CharField()
    description = serializers.CharField()
    partitions = serializers.IntegerField(source="partition_count")
    visibility = serializers.ChoiceField(choices=Visibility.values)
    retention = serializers.SerializerMethodField()
    paused = serializers.BooleanField(source="is_paused")
    validation = serializers.ChoiceField(choices=Validation.values)
    deduplicate_ids = serializers.IntegerField(
        source="deduplicate_ids_seconds",
        allow_null=True,
        help_text="For so many seconds an event is not stored whose id the stream has had; null: each is.",
    )
    labels = serializers.DictField(child=serializers.CharField())
    owner = serializers.CharField(source="owner_name", help_text="A user's e-mail address, or a team's name.")
    engine = serializers.CharField(help_text="Where its events are appended: an alias of this installation.")
    capabilities = serializers.SerializerMethodField(
        help_text="What that engine promises beyond the least; what it does not is refused as `not_offered`."
    )
    manage = serializers.SerializerMethodField(
        help_text="`external`: it shows a topic that others write; it is never altered, trimmed or deleted from here."
    )
    topic = serializers.SerializerMethodField(help_text="The topic that it shows; null: its place was made for it.")
    read_only = serializers.BooleanField(  # type: ignore[assignment]
        source="is_read_only", help_text="Appends are refused."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(
        serializers.ListField(child=serializers.ChoiceField(choices=[each.value for each in Capability]))
    )
    def get_capabilities(self, stream: Stream) -> list[str]:
        return sorted(capabilities_of_stream(stream))

    @extend_schema_field(serializers.ChoiceField(choices=[MANAGED, EXTERNAL]))
    def get_manage(self, stream: Stream) -> str:
        return EXTERNAL if stream.adopted_topic else MANAGED

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_topic(self, stream: Stream) -> str | None:
        return stream.adopted_topic or None

    @extend_schema_field(RetentionSerializer)
    def get_retention(self, stream: Stream) -> dict[str, int | None]:
        return {
            "max_age": stream.retention_max_age_seconds,
            "max_bytes": stream.retention_max_bytes,
            "max_events": stream.retention_max_events,
        }


class StreamFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(lookup_expr="contains", strip=False, label="part of the name")
    # Not a BooleanFilter, which takes `maybe` for "either".
    paused = django_filters.TypedChoiceFilter(
        field_name="is_paused", choices=(("true", "true"), ("false", "false")), coerce="true".__eq__
    )
    owner = django_filters.CharFilter(method="owned_by", strip=False, label="a user's e-mail address, or a team's name")

    def owned_by(self, streams: QuerySet[Stream], _field: str, name: str) -> QuerySet[Stream]:
        return streams.filter(Q(owner__email__iexact=name) | Q(owner_team__name=name))

    class Meta:
        model = Stream
        fields: tuple[str, ...] = ()


def _make_place(request: Request) -> Place | None:
    """Make the place of a new stream in the engine that it wants: before the transaction that makes the stream."""
    new = read_new_stream(request.data)
    return place_for_stream(caller=caller_of(request), name=new.name, settings=new.settings)


@extend_schema(tags=["Streams"])
class StreamViewSet(StrictViewSet):
    permission_classes = (MayManageUnlessReading,)
    serializer_class = StreamSerializer
    filterset_class = StreamFilter
    lookup_field = "stream"
    lookup_value_regex = "[^/]+"
    queryset = Stream.objects.none()
    keyset = ("name",)
    query_parameters = {"partial_update": ("dry_run", "confirm"), "destroy": ("confirm",)}

    @extend_schema(
        operation_id="list_streams",
        parameters=[OpenApiParameter("paused", bool, description="Only those that are, or are not, paused.")],
    )
    def list(self, request: Request) -> Response:
        """List the streams that you may see, by name."""
        page = self.paginate_queryset(self.filter_queryset(list_streams(caller_of(request))))
        return self.get_paginated_response(StreamSerializer(page, many=True).data)

    @extend_schema(operation_id="create_stream", request=CreateStreamSerializer, responses={201: StreamSerializer})
    @idempotent(prepare=_make_place)
    def create(self, request: Request, place: Place | None) -> Response:
        """Create a stream; it is yours, or your team's, or whose an admin says.

        `engine` says where its events will lie, until it is moved; what that engine cannot promise is refused by name.
        """
        new = read_new_stream(request.data)
        owner = None if new.owner is None else find_owner(caller_of(request), new.owner)
        stream = create_stream(
            caller=caller_of(request), name=new.name, owner=owner, settings=new.settings, place=place
        )
        headers = {"Location": f"/api/v1/streams/{stream.name}"}
        return Response(StreamSerializer(stream).data, status=201, headers=headers)

    @extend_schema(
        operation_id="get_stream", parameters=[ETAG, IF_NONE_MATCH], responses={200: StreamSerializer, 304: None}
    )
    def retrieve(self, request: Request, stream: str) -> Response:
        """Look at one stream."""
        row = get_stream(caller_of(request), stream)
        return answer_with_version(request, StreamSerializer(row).data, row.version)

    @extend_schema(
        operation_id="change_stream",
        request=ChangeStreamSerializer,
        parameters=[
            ETAG,
            IF_MATCH,
            OpenApiParameter(
                "dry_run",
                bool,
                description="Only say what the retention that is asked for would delete at once, and what more "
                "partitions would change.",
            ),
            OpenApiParameter(
                "confirm",
                str,
                description="The stream's name, once more: asked for if retention would delete events at once, or if "
                "partitions are added to a stream that had events.",
            ),
        ],
        responses={
            200: PolymorphicProxySerializer(
                "ChangeStreamAnswer", [StreamSerializer, StreamForecastSerializer], resource_type_field_name=None
            )
        },
    )
    def partial_update(self, request: Request, stream: str) -> Response:
        """Change some settings; the name stays, and partitions can only be added.

        A retention that would delete events at once wants the stream's name as `confirm`; without it you are told what
        would go and which groups have not read it. So do more partitions of a stream that had events: new events of
        many keys go to another partition then, in no order with the old ones. `dry_run` says the same, and changes
        nothing.
        """
        row = get_stream(caller_of(request), stream, Right.MANAGE)
        require_body(request)
        changes, owner = read_stream_changes(request.data)
        is_dry_run, expected = boolean_parameter(self.query, "dry_run"), expected_versions(request)
        if owner is not None:
            changes |= new_owner_of(row, name=owner, caller=caller_of(request))
        now = timezone.now()
        if is_dry_run:
            check_version(row, expected, stream_id=row.pk)
            growth = find_partition_growth(stream=row, changes=changes)
            told = RetentionLossSerializer(foresee_retention(stream=row, changes=changes, now=now)).data
            return Response(told if growth is None else {**told, "growth": PartitionGrowthSerializer(growth).data})
        confirm = self.query.get("confirm")
        changed = change_stream(stream=row, changes=changes, now=now, confirm=confirm, expected=expected)
        return answer_with_version(request, StreamSerializer(changed).data, changed.version)

    @extend_schema(
        operation_id="delete_stream",
        parameters=[
            IF_MATCH,
            OpenApiParameter(
                "confirm",
                {"type": "string", "pattern": NAME_PATTERN},
                required=True,
                description="The stream's name, once more.",
            ),
        ],
        responses={204: None},
    )
    def destroy(self, request: Request, stream: str) -> Response:
        """Delete a stream with all its events and groups, for good."""
        row = get_stream(caller_of(request), stream, Right.MANAGE)
        delete_stream(stream=row, confirm=self.query.get("confirm"), expected=expected_versions(request))
        return Response(status=204)
