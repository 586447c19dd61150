"""Every request has an id: the caller's, if it is well formed, or one of ours."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from uuid_utils import uuid7

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,128}", re.ASCII)


class RequestIdMiddleware:
    """Set `request.request_id` and echo it as `X-Request-Id`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID")
        request_id = given if given and _WELL_FORMED.fullmatch(given) else str(uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response
