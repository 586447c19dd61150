"""`/api-keys`: what machines sign in with."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.bodies import CreateApiKeySerializer, RotateSerializer, read_new_api_key, read_overlap_seconds
from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictViewSet
from accounts.models import ApiKey
from accounts.permissions import AnyCaller, PersonOnly
from accounts.queries import get_api_key, get_user_of, list_api_keys
from accounts.services.api_keys import create_api_key, revoke_api_key, rotate_api_key


class TouchedSerializer(serializers.Serializer):
    stream = serializers.CharField()
    group = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()


class ApiKeySerializer(serializers.Serializer):
    """What may be shown of a key."""

    id = serializers.CharField(source="key_id")
    name = serializers.CharField()
    prefix = serializers.CharField()
    user = serializers.CharField(source="user.email")
    scopes = serializers.ListField(
        child=serializers.CharField(), source="usable_scopes", help_text="Those that its user's roles allow."
    )
    streams = serializers.ListField(child=serializers.CharField(), source="stream_names", allow_null=True)
    created_at = serializers.DateTimeField()
    addresses = serializers.ListField(child=serializers.CharField(), allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_address = serializers.CharField(help_text="From where it was used last; empty if never.")
    last_used_agent = serializers.CharField(help_text="What its program called itself then.")
    touched = TouchedSerializer(many=True, help_text="Streams and groups that it touched, the last one first.")
    expires_at = serializers.DateTimeField(allow_null=True)
    expires_soon = serializers.SerializerMethodField(help_text="It works now, and will not in a week.")
    revoked_at = serializers.DateTimeField(allow_null=True)

    def get_expires_soon(self, key: ApiKey) -> bool:
        return key.expires_soon(timezone.now())


class NewApiKeySerializer(ApiKeySerializer):
    secret = serializers.CharField(help_text="The key itself, shown this once.", allow_null=True)


@extend_schema(tags=["API keys"])
class ApiKeyViewSet(StrictViewSet):
    """Keys of the caller; an admin sees everybody's. A key sees itself."""

    permission_classes = (PersonOnly,)
    serializer_class = ApiKeySerializer
    lookup_field = "key_id"
    lookup_value_regex = "[^/]{1,64}"
    queryset = ApiKey.objects.none()
    keyset = ("-created_at", "key_id")

    def get_permissions(self) -> list[Any]:
        return [AnyCaller()] if self.action == "list" else [PersonOnly()]

    @extend_schema(operation_id="list_api_keys")
    def list(self, request: Request) -> Response:
        """List keys, newest first; never their secrets. A key sees itself alone, unless it has the scope `admin`."""
        page = self.paginate_queryset(list_api_keys(caller_of(request)))
        return self.get_paginated_response(ApiKeySerializer(page, many=True).data)

    @extend_schema(operation_id="create_api_key", request=CreateApiKeySerializer, responses={201: NewApiKeySerializer})
    @idempotent(redact=("secret",))
    def create(self, request: Request) -> Response:
        """Make a key for yourself. The answer holds its secret, this once."""
        new = create_api_key(user=get_user_of(caller_of(request)), **read_new_api_key(request.data))
        return Response({**ApiKeySerializer(new.key).data, "secret": new.secret}, status=201)

    @extend_schema(operation_id="rotate_api_key", request=RotateSerializer, responses={201: NewApiKeySerializer})
    @action(detail=True, methods=["post"])
    @idempotent(redact=("secret",))
    def rotate(self, request: Request, key_id: str) -> Response:
        """Make a successor; the old key goes on working for `overlap_seconds`."""
        overlap = read_overlap_seconds(request.data)
        new = rotate_api_key(key=get_api_key(caller_of(request), key_id), now=timezone.now(), overlap_seconds=overlap)
        return Response({**ApiKeySerializer(new.key).data, "secret": new.secret}, status=201)

    @extend_schema(operation_id="revoke_api_key", responses={204: None})
    def destroy(self, request: Request, key_id: str) -> Response:
        """Revoke a key: it is refused within a second everywhere."""
        revoke_api_key(key=get_api_key(caller_of(request), key_id), now=timezone.now())
        return Response(status=204)
