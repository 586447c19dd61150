from django.urls import path

from observability.api.stats import StatsView

urlpatterns = [
    path("streams/<str:stream>/stats", StatsView.as_view(), name="stats"),
]
