from django.urls import path
from rest_framework.routers import SimpleRouter

from streams.api.append import AppendView
from streams.api.event_schemas import CheckSchemaView, EventSchemaViewSet, InferSchemaView
from streams.api.events import EventView
from streams.api.grants import StreamGrantViewSet
from streams.api.mirrors import MirrorViewSet
from streams.api.moves import StreamMoveViewSet
from streams.api.producers import ProducerViewSet
from streams.api.streams import StreamViewSet

router = SimpleRouter(trailing_slash=False)
router.register("streams", StreamViewSet, basename="streams")
router.register("producers", ProducerViewSet, basename="producers")

urlpatterns = [
    path("events", AppendView.as_view(), name="append"),
    path("streams/<str:stream>/events/<str:partition>/<str:offset>", EventView.as_view(), name="event"),
    path(
        "streams/<str:stream>/grants",
        StreamGrantViewSet.as_view({"get": "list", "post": "create"}),
        name="stream-grants",
    ),
    path(
        "streams/<str:stream>/grants/<str:grant_id>",
        StreamGrantViewSet.as_view({"delete": "destroy"}),
        name="stream-grant",
    ),
    path(
        "streams/<str:stream>/mirrors",
        MirrorViewSet.as_view({"get": "list", "post": "create"}),
        name="mirrors",
    ),
    path(
        "streams/<str:stream>/mirrors/<str:mirror_id>",
        MirrorViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="mirror",
    ),
    path(
        "streams/<str:stream>/moves",
        StreamMoveViewSet.as_view({"get": "list", "post": "create"}),
        name="stream-moves",
    ),
    path(
        "streams/<str:stream>/moves/<str:move_id>",
        StreamMoveViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="stream-move",
    ),
    path(
        "streams/<str:stream>/schemas",
        EventSchemaViewSet.as_view({"get": "list", "post": "create"}),
        name="event-schemas",
    ),
    path("streams/<str:stream>/schemas/check", CheckSchemaView.as_view(), name="check-event-schema"),
    path("streams/<str:stream>/schemas/infer", InferSchemaView.as_view(), name="infer-event-schema"),
    path(
        "streams/<str:stream>/schemas/<path:type>/<str:version>",
        EventSchemaViewSet.as_view({"get": "retrieve"}),
        name="event-schema",
    ),
    *router.urls,
]
