from typing import Any

from django.urls import path

from observability.api.alert_channels import AlertChannelTestView, AlertChannelViewSet
from observability.api.alert_rules import AlertRuleTestView, AlertRuleViewSet, AlertViewSet
from observability.api.audit import AuditLogViewSet
from observability.api.stats import GroupStatsView, StatsView

_many: dict[str, Any] = {"get": "list", "post": "create"}
_one: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("audit-log", AuditLogViewSet.as_view({"get": "list"}), name="audit-log"),
    path("streams/<str:stream>/stats", StatsView.as_view(), name="stats"),
    path("streams/<str:stream>/consumer-groups/<str:group>/stats", GroupStatsView.as_view(), name="group-stats"),
    path("alerts", AlertViewSet.as_view({"get": "list"}), name="alert-list"),
    path("alert-rules", AlertRuleViewSet.as_view(_many), name="alert-rules"),
    path("alert-rules/<str:rule_id>", AlertRuleViewSet.as_view(_one), name="alert-rule"),
    path("alert-rules/<str:rule_id>/test", AlertRuleTestView.as_view(), name="alert-rule-test"),
    path("alert-channels", AlertChannelViewSet.as_view(_many), name="alert-channels"),
    path("alert-channels/<str:channel_id>", AlertChannelViewSet.as_view(_one), name="alert-channel"),
    path("alert-channels/<str:channel_id>/test", AlertChannelTestView.as_view(), name="alert-channel-test"),
]
