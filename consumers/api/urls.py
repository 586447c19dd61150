from django.urls import path

from consumers.api.groups import AllGroupsViewSet, GroupViewSet
from consumers.api.offsets import OffsetsView
from consumers.api.poll import StreamEventsView

GROUPS = "streams/<str:stream>/consumer-groups"

urlpatterns = [
    path("streams/<str:stream>/events", StreamEventsView.as_view(), name="stream-events"),
    path(GROUPS, GroupViewSet.as_view({"get": "list", "post": "create"}), name="groups"),
    path(
        f"{GROUPS}/<str:group>",
        GroupViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="group",
    ),
    path(f"{GROUPS}/<str:group>/offsets", OffsetsView.as_view(), name="offsets"),
    path("consumer-groups", AllGroupsViewSet.as_view({"get": "list"}), name="all-groups"),
]
