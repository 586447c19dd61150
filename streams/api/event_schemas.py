"""`/streams/{stream}/schemas`: what the payloads of a type look like, by version; tried before it counts."""

from typing import Any

import django_filters
import orjson
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictView, StrictViewSet
from accounts.permissions import MayConsume, MayManageUnlessReading
from accounts.roles import Right
from streams.bodies import CheckSchemaSerializer, InferSchemaSerializer, RegisterSchemaSerializer
from streams.envelope import TYPE_PATTERN
from streams.errors import SchemaNotFound
from streams.models import EventSchema, Stream
from streams.queries import get_stream
from streams.schemas.compatibility import Compatibility
from streams.services.schemas import Misfit, check_proposed, find_schema, propose_schema, register_schema

LATEST = "latest"
_TYPE = {"type": "string", "pattern": f"^{TYPE_PATTERN}$"}
_VERSION = {"type": "string", "pattern": f"^({LATEST}|[1-9][0-9]{{0,8}})$"}
_JSON_SCHEMA: dict[str, Any] = {"oneOf": [{"type": "object"}, {"type": "boolean"}]}


class EventSchemaSerializer(serializers.Serializer):
    """One version of the schema of a type of events."""

    type = serializers.CharField()
    version = serializers.IntegerField()
    schema = serializers.SerializerMethodField()
    compatibility = serializers.ChoiceField(choices=[each.value for each in Compatibility])
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(help_text="`user:…` or `key:…`")
    refused_count = serializers.IntegerField(help_text="Payloads that did not fit it and were refused.")
    marked_count = serializers.IntegerField(help_text="Payloads that did not fit it and were stored with a mark.")
    last_invalid_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(_JSON_SCHEMA)
    def get_schema(self, schema: EventSchema) -> orjson.Fragment:
        # As it is kept: a number in it may be larger than any that is made anew.
        return orjson.Fragment(schema.document)


class FaultSerializer(serializers.Serializer):
    pointer = serializers.CharField(help_text="Into the event, or into the schema.")
    detail = serializers.CharField()


class BreakSerializer(FaultSerializer):
    breaks = serializers.ChoiceField(choices=["backward", "forward", "full"])


class MisfitSerializer(serializers.Serializer):
    """A stored event whose payload does not fit."""

    partition = serializers.IntegerField(source="event.partition")
    offset = serializers.IntegerField(source="event.offset")
    id = serializers.CharField(source="event.id")
    errors = serializers.SerializerMethodField()  # type: ignore[assignment]

    @extend_schema_field(FaultSerializer(many=True))
    def get_errors(self, misfit: Misfit) -> list[dict[str, str]]:
        return [{"pointer": fault.pointer, "detail": fault.detail} for fault in misfit.faults]


class SchemaCheckSerializer(serializers.Serializer):
    """What would come of a schema. Nothing was changed."""

    compatible = serializers.BooleanField(source="is_compatible")
    compatibility = serializers.ChoiceField(choices=[each.value for each in Compatibility])
    compared_with = serializers.IntegerField(allow_null=True, help_text="The latest version; null: there is none.")
    breaks = BreakSerializer(many=True)
    ignored = serializers.ListField(
        child=serializers.CharField(), help_text="Pointers to keywords that mean nothing: perhaps a typo."
    )
    checked_count = serializers.IntegerField(help_text="Stored events of the type that were held to it.")
    invalid_count = serializers.IntegerField()
    invalid = MisfitSerializer(source="misfits", many=True, help_text="At most 100 of them.")


class ProposalSerializer(serializers.Serializer):
    """A first schema, to be looked at and made stricter by hand. Nothing was changed."""

    type = serializers.CharField()
    schema = serializers.JSONField()
    event_count = serializers.IntegerField(help_text="Stored events that it was inferred from, all of which it takes.")


class EventSchemaFilter(django_filters.FilterSet):
    type = django_filters.CharFilter(strip=False, label="only the versions for this type of events")

    class Meta:
        model = EventSchema
        fields: tuple[str, ...] = ()


@extend_schema(tags=["Schemas"])
class EventSchemaViewSet(StrictViewSet):
    permission_classes = (MayManageUnlessReading,)
    serializer_class = EventSchemaSerializer
    filterset_class = EventSchemaFilter
    queryset = EventSchema.objects.none()
    keyset = ("type", "-version")

    @extend_schema(operation_id="list_event_schemas")
    def list(self, request: Request, stream: str) -> Response:
        """List the schemas of a stream's events: by type, the latest version first."""
        row = get_stream(caller_of(request), stream)
        page = self.paginate_queryset(self.filter_queryset(row.schemas.all()))
        return self.get_paginated_response(EventSchemaSerializer(page, many=True).data)

    @extend_schema(
        operation_id="register_event_schema",
        request=RegisterSchemaSerializer,
        responses={201: EventSchemaSerializer, 200: EventSchemaSerializer},
    )
    @idempotent()
    def create(self, request: Request, stream: str) -> Response:
        """Make a schema the latest version for a type of events; 200 if it is that already.

        Payloads are held to it within a second, if the stream's `validation` is `warn` or `enforce`.
        """
        row = get_stream(caller_of(request), stream, Right.MANAGE)
        given = RegisterSchemaSerializer.checked(request.data).validated_data
        schema, is_new = register_schema(
            caller=caller_of(request),
            stream=row,
            type_=given["type"],
            document=given["schema"],
            compatibility=_compatibility_in(given),
        )
        return Response(EventSchemaSerializer(schema).data, status=201 if is_new else 200)

    @extend_schema(
        operation_id="get_event_schema",
        parameters=[
            OpenApiParameter("type", _TYPE, OpenApiParameter.PATH, description="A type of events."),
            OpenApiParameter("version", _VERSION, OpenApiParameter.PATH, description="A number, or `latest`."),
        ],
    )
    def retrieve(self, request: Request, stream: str, type: str, version: str) -> Response:  # noqa: A002 - the field's name
        """Look at one version of the schema of a type."""
        row = get_stream(caller_of(request), stream)
        return Response(EventSchemaSerializer(find_schema(row, _plain(type), _version_in(version))).data)


class CheckSchemaView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="check_event_schema",
        tags=["Schemas"],
        request=CheckSchemaSerializer,
        responses={200: SchemaCheckSerializer},
    )
    def post(self, request: Request, stream: str) -> Response:
        """Try a schema, or the latest version, before it counts: what it breaks, and which stored events do not fit."""
        given = CheckSchemaSerializer.checked(request.data).validated_data
        found = check_proposed(
            stream=_readable(request, stream),
            type_=given["type"],
            document=given.get("schema"),
            compatibility=_compatibility_in(given),
            last=given["last"],
        )
        return Response(SchemaCheckSerializer(found).data)


class InferSchemaView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="infer_event_schema",
        tags=["Schemas"],
        request=InferSchemaSerializer,
        responses={200: ProposalSerializer},
    )
    def post(self, request: Request, stream: str) -> Response:
        """Propose a first schema for a type, from the newest events that are stored of it."""
        given = InferSchemaSerializer.checked(request.data).validated_data
        schema, count = propose_schema(stream=_readable(request, stream), type_=given["type"], last=given["last"])
        return Response({"type": given["type"], "schema": schema, "event_count": count})


def _readable(request: Request, stream: str) -> Stream:
    """What is answered tells of payloads."""
    return get_stream(caller_of(request), stream, Right.CONSUME)


def _compatibility_in(given: dict[str, Any]) -> Compatibility | None:
    return Compatibility(given["compatibility"]) if "compatibility" in given else None


def _version_in(text: str) -> int | None:
    """Return a number, or None for the latest version.

    Raises:
        SchemaNotFound: it is neither.
    """
    if text == LATEST:
        return None
    if not text.isascii() or not text.isdecimal() or not 1 <= len(text) <= 9 or text.startswith("0"):
        raise SchemaNotFound("A version is a number from 1 on, or `latest`.")
    return int(text)


def _plain(type_: str) -> str:
    """Return a type from an address as it can be asked for."""
    return type_.replace("\x00", "\ufffd")
