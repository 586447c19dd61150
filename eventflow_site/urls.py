"""Every address of EventFlow, by the app that answers it."""

from typing import Any

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from eventflow_site.api.openapi_page import OpenApiView
from eventflow_site.api.problem_page import problems

api: list[Any] = [
    # The hot verbs come first: addresses are tried in order.
    path("", include("streams.api.urls")),
    path("", include("consumers.api.urls")),
    path("", include("accounts.api.urls")),
    path("", include("observability.api.urls")),
    path("openapi.json", OpenApiView.as_view(), name="openapi"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="api-docs"),
]

urlpatterns = [
    path("api/v1/", include(api)),
    path("docs/problems", problems, name="problems"),
    path("admin/", admin.site.urls),
    path("", include("observability.dashboard.urls")),
    path("", include("observability.urls")),
]

handler400 = "eventflow_site.api.views.bad_request"
handler404 = "eventflow_site.api.views.not_found"
handler500 = "eventflow_site.api.views.server_error"
