from django.urls import path
from rest_framework.routers import SimpleRouter

from streams.api.append import AppendView
from streams.api.events import EventView
from streams.api.producers import ProducerViewSet
from streams.api.streams import StreamViewSet

router = SimpleRouter(trailing_slash=False)
router.register("streams", StreamViewSet, basename="streams")
router.register("producers", ProducerViewSet, basename="producers")

urlpatterns = [
    path("events", AppendView.as_view(), name="append"),
    path("streams/<str:stream>/events/<str:partition>/<str:offset>", EventView.as_view(), name="event"),
    *router.urls,
]
