"""`GET /producers`: who produces, with which keys, to which streams."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.views import StrictViewSet
from accounts.models import User
from accounts.permissions import AnyCaller
from streams.conf import MAX_LISTED
from streams.queries import describe_producers, list_producers


class ProducerKeySerializer(serializers.Serializer):
    id = serializers.CharField(source="key_id")
    name = serializers.CharField()
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField(), source="usable_scopes")
    streams = serializers.ListField(child=serializers.CharField(), source="stream_names", allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class ProducerStreamSerializer(serializers.Serializer):
    name = serializers.CharField()
    event_count = serializers.IntegerField()
    last_event_at = serializers.DateTimeField(allow_null=True)


class ProducerSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="user.pk")
    email = serializers.CharField(source="user.email")
    name = serializers.CharField(source="user.name")
    api_keys = ProducerKeySerializer(many=True, help_text=f"The newest {MAX_LISTED}.")
    api_key_count = serializers.IntegerField()
    streams = ProducerStreamSerializer(many=True, help_text=f"The first {MAX_LISTED} by name.")
    stream_count = serializers.IntegerField()


@extend_schema(tags=["Producing"])
class ProducerViewSet(StrictViewSet):
    permission_classes = (AnyCaller,)
    serializer_class = ProducerSerializer
    queryset = User.objects.none()
    keyset = ("email",)
    filter_backends: tuple[Any, ...] = ()

    @extend_schema(operation_id="list_producers")
    def list(self, request: Request) -> Response:
        """List producers with their API keys and streams: yourself; an admin sees all. A key sees itself alone."""
        page = self.paginate_queryset(list_producers(caller_of(request)))
        producers = describe_producers(caller_of(request), page or [])
        return self.get_paginated_response(ProducerSerializer(producers, many=True).data)
