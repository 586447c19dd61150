"""Browsers on other sites may use the API, if their origin is named in EVENTFLOW_CORS_ORIGINS; none is by default.

They send a key or a token, never cookies: credentials are not allowed, so a page can do no more with the API than what
the secret that it was given lets anybody do (ADR 0028).
"""

import re
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from accounts.http.both_doors import BothDoors, Passage
from eventflow_site.machine_lane import API_PREFIX, is_machine_request
from eventflow_site.transport import allowed_methods

_ALLOWED_HEADERS: Final = (
    "Authorization, Content-Encoding, Content-Type, EventFlow-Atomic, Idempotency-Key, If-Head, If-Match, "
    "If-None-Match, Last-Event-ID, Prefer, traceparent, X-API-Key, X-Request-Id"
)
# An attribute of a CloudEvent in binary mode; extensions are named by whoever sends them.
_ATTRIBUTE: Final = re.compile(r"ce-[a-z0-9]{1,64}", re.ASCII)
# A script reads these beside what every answer shows (Content-Type, Cache-Control …).
_EXPOSED_HEADERS: Final = (
    "Allow, Content-Disposition, ETag, EventFlow-Gap, EventFlow-Head-Offset, EventFlow-Lag, EventFlow-Lost, "
    "EventFlow-Next-Offset, EventFlow-Stored, Idempotent-Replayed, Location, Preference-Applied, Retry-After, "
    "WWW-Authenticate, X-Request-Id"
)
_PREFLIGHT_SECONDS: Final = 600


class CorsMiddleware(BothDoors):
    """Tell browsers which sites may use the API. Not there at all where no origin is named."""

    def passage(self, request: HttpRequest) -> Passage:
        path = request.path_info
        if not (path.startswith(API_PREFIX) and is_machine_request(path)):
            return (yield)
        origin = request.META.get("HTTP_ORIGIN", "")
        is_ours = origin in settings.CORS_ORIGINS
        if is_ours and request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META:
            response: HttpResponseBase = HttpResponse(status=204)
            response["Access-Control-Allow-Methods"] = ", ".join(allowed_methods(path))
            response["Access-Control-Allow-Headers"] = _allowed_headers(request)
            response["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
        else:
            response = yield
            if is_ours:
                response["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
        if is_ours:
            response["Access-Control-Allow-Origin"] = origin
        # What is kept for one site would be refused to the next.
        patch_vary_headers(response, ("Origin",))
        return response


def _allowed_headers(request: HttpRequest) -> str:
    asked = request.META.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "").lower().split(",")
    return ", ".join([_ALLOWED_HEADERS, *(name for name in map(str.strip, asked) if _ATTRIBUTE.fullmatch(name))])
