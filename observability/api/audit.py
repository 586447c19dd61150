"""`GET /audit-log`: who did what."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audit_actions import AuditAction
from accounts.caller import caller_of
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


class AuditEntryFilter(django_filters.FilterSet):
    actor = django_filters.CharFilter(method="acted", label="an e-mail address, or `key:…`")
    action = django_filters.ChoiceFilter(choices=[(action.value, action.value) for action in AuditAction])
    stream = django_filters.CharFilter()
    group = django_filters.CharFilter()
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", label="from this moment")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", label="before this moment")

    def acted(self, entries: QuerySet[AuditEntry], _field: str, actor: str) -> QuerySet[AuditEntry]:
        return entries.filter(Q(actor_email=actor.lower()) | Q(actor=actor))

    class Meta:
        model = AuditEntry
        fields: tuple[str, ...] = ()


@extend_schema(tags=["Audit trail"])
class AuditLogViewSet(StrictViewSet):
    permission_classes = (AnyCaller,)
    serializer_class = AuditEntrySerializer
    filterset_class = AuditEntryFilter
    queryset = AuditEntry.objects.none()
    keyset: tuple[Any, ...] = ("-pk",)

    @extend_schema(operation_id="list_audit_log")
    def list(self, request: Request) -> Response:
        """List what was done, newest first: an admin sees all, others what they manage and what they did."""
        page = self.paginate_queryset(self.filter_queryset(list_audit_entries(caller_of(request), AuditFilter())))
        return self.get_paginated_response(AuditEntrySerializer(page, many=True).data)
