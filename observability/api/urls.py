from django.urls import path

from observability.api.audit import AuditLogViewSet
from observability.api.stats import StatsView

urlpatterns = [
    path("audit-log", AuditLogViewSet.as_view({"get": "list"}), name="audit-log"),
    path("streams/<str:stream>/stats", StatsView.as_view(), name="stats"),
]
