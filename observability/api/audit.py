"""`GET /audit-log`: who did what."""

from typing import Any

from django.http import QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audit_actions import AuditAction
from accounts.caller import caller_of
from accounts.http.parameters import choice_parameter, moment_parameter
from accounts.http.views import StrictViewSet
from accounts.models import AuditEntry
from accounts.permissions import AnyCaller
from observability.operations.audit import AuditFilter, list_audit_entries


class AuditEntrySerializer(serializers.Serializer):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    action = serializers.ChoiceField(choices=[action.value for action in AuditAction])
    actor = serializers.CharField(help_text="`user:…`, `key:…`, or `system` for what no request asked for.")
    actor_email = serializers.CharField()
    address = serializers.CharField(help_text="From where it was asked for.")
    request_id = serializers.CharField()
    stream = serializers.CharField()
    group = serializers.CharField()
    target = serializers.CharField(help_text="What else was acted on: a user, a key, a team, dead letters.")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    refused = serializers.BooleanField(source="was_refused")


ACTIONS = [action.value for action in AuditAction]
_PARAMETERS = [
    OpenApiParameter("actor", OpenApiTypes.STR, description="An e-mail address, or `key:…`."),
    OpenApiParameter("action", OpenApiTypes.STR, enum=ACTIONS, description="What was done."),
    OpenApiParameter("stream", OpenApiTypes.STR, description="The stream's name then."),
    OpenApiParameter("group", OpenApiTypes.STR, description="The consumer group's name then."),
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="From this moment."),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="Before this moment."),
]


@extend_schema(tags=["Audit trail"])
class AuditLogViewSet(StrictViewSet):
    permission_classes = (AnyCaller,)
    serializer_class = AuditEntrySerializer
    queryset = AuditEntry.objects.none()
    keyset: tuple[Any, ...] = ("-pk",)
    query_parameters = {"list": [each.name for each in _PARAMETERS]}

    @extend_schema(operation_id="list_audit_log", parameters=_PARAMETERS)
    def list(self, request: Request) -> Response:
        """List what was done, newest first: an admin sees all, others what they manage and what they did."""
        page = self.paginate_queryset(list_audit_entries(caller_of(request), _wanted(self.query)))
        return self.get_paginated_response(AuditEntrySerializer(page, many=True).data)


def _wanted(query: QueryDict) -> AuditFilter:
    return AuditFilter(
        actor=query.get("actor", ""),
        action=choice_parameter(query, "action", ACTIONS) or "",
        stream=query.get("stream", ""),
        group=query.get("group", ""),
        since=moment_parameter(query, "since"),
        until=moment_parameter(query, "until"),
    )
