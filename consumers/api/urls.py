from django.urls import path

from consumers.api.bulk import BulkActionsViewSet, BulkDiscardView, BulkRedriveView, CancelBulkActionView
from consumers.api.dead_letters import DeadLettersViewSet, DiscardView, RedriveView, ReportView, ResolveView
from consumers.api.deliveries import DeliveriesViewSet, ReleaseDeliveryView, RetryNowView
from consumers.api.erasure import EraseView
from consumers.api.grants import GroupGrantViewSet
from consumers.api.groups import AllGroupsViewSet, GroupViewSet
from consumers.api.held_keys import HeldKeysView
from consumers.api.lease import LeaseView
from consumers.api.live import LiveEventsView
from consumers.api.losses import AcknowledgeLossView
from consumers.api.offsets import OffsetsView
from consumers.api.outcomes import AckView, ExtendView, NackView, ReleaseView
from consumers.api.poll import StreamEventsView
from consumers.api.seek import SeekView
from consumers.api.timeline import TimelineView

GROUPS = "streams/<str:stream>/consumer-groups"

urlpatterns = [
    path("streams/<str:stream>/events", StreamEventsView.as_view(), name="stream-events"),
    path("streams/<str:stream>/events/live", LiveEventsView.as_view(), name="live-events"),
    path(GROUPS, GroupViewSet.as_view({"get": "list", "post": "create"}), name="groups"),
    path(
        f"{GROUPS}/<str:group>",
        GroupViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="group",
    ),
    path(
        f"{GROUPS}/<str:group>/grants",
        GroupGrantViewSet.as_view({"get": "list", "post": "create"}),
        name="group-grants",
    ),
    path(
        f"{GROUPS}/<str:group>/grants/<str:grant_id>",
        GroupGrantViewSet.as_view({"delete": "destroy"}),
        name="group-grant",
    ),
    path(f"{GROUPS}/<str:group>/offsets", OffsetsView.as_view(), name="offsets"),
    path(f"{GROUPS}/<str:group>/seek", SeekView.as_view(), name="seek"),
    path(f"{GROUPS}/<str:group>/acknowledge-loss", AcknowledgeLossView.as_view(), name="acknowledge-loss"),
    path(f"{GROUPS}/<str:group>/lease", LeaseView.as_view(), name="lease"),
    path(f"{GROUPS}/<str:group>/ack", AckView.as_view(), name="ack"),
    path(f"{GROUPS}/<str:group>/nack", NackView.as_view(), name="nack"),
    path(f"{GROUPS}/<str:group>/extend", ExtendView.as_view(), name="extend"),
    path(f"{GROUPS}/<str:group>/release", ReleaseView.as_view(), name="release"),
    path(f"{GROUPS}/<str:group>/deliveries", DeliveriesViewSet.as_view({"get": "list"}), name="deliveries"),
    path(f"{GROUPS}/<str:group>/held-keys", HeldKeysView.as_view(), name="held-keys"),
    path(
        f"{GROUPS}/<str:group>/deliveries/<str:delivery_id>/retry-now",
        RetryNowView.as_view(),
        name="retry-delivery-now",
    ),
    path(
        f"{GROUPS}/<str:group>/deliveries/<str:delivery_id>/release",
        ReleaseDeliveryView.as_view(),
        name="release-delivery",
    ),
    path(f"{GROUPS}/<str:group>/dead-letters", ReportView.as_view(), name="report-dead-letter"),
    path("streams/<str:stream>/events/<str:partition>/<str:offset>/timeline", TimelineView.as_view(), name="timeline"),
    path("streams/<str:stream>/events/<str:partition>/<str:offset>/erase", EraseView.as_view(), name="erase-event"),
    path("dead-letters", DeadLettersViewSet.as_view({"get": "list"}), name="dead-letters"),
    path("dead-letters/redrive", BulkRedriveView.as_view(), name="redrive-dead-letters"),
    path("dead-letters/discard", BulkDiscardView.as_view(), name="discard-dead-letters"),
    path("dead-letters/bulk-actions", BulkActionsViewSet.as_view({"get": "list"}), name="bulk-actions"),
    path(
        "dead-letters/bulk-actions/<str:action_id>",
        BulkActionsViewSet.as_view({"get": "retrieve"}),
        name="bulk-action",
    ),
    path(
        "dead-letters/bulk-actions/<str:action_id>/cancel",
        CancelBulkActionView.as_view(),
        name="cancel-bulk-action",
    ),
    path("dead-letters/<str:dead_letter_id>", DeadLettersViewSet.as_view({"get": "retrieve"}), name="dead-letter"),
    path("dead-letters/<str:dead_letter_id>/redrive", RedriveView.as_view(), name="redrive-dead-letter"),
    path("dead-letters/<str:dead_letter_id>/discard", DiscardView.as_view(), name="discard-dead-letter"),
    path("dead-letters/<str:dead_letter_id>/resolve", ResolveView.as_view(), name="resolve-dead-letter"),
    path("consumer-groups", AllGroupsViewSet.as_view({"get": "list"}), name="all-groups"),
]
