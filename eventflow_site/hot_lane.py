"""The two hot verbs, append and poll, from the web server straight to their view.

Django's own handler sends two signals, walks through every address and sets up what only pages use: as much
work again as the append itself. Requests to these two addresses pass the same middleware, view and error
handling as through Django; only what Django does around them is left out.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIRequest
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve
from django.utils.module_loading import import_string

from eventflow_site.machine_lane import API_PREFIX

APPEND_PATH = f"{API_PREFIX}events"
STREAM_PREFIX, STREAM_SUFFIX = f"{API_PREFIX}streams/", "/events"
MACHINE_LANE = "eventflow_site.machine_lane.MachineLaneEntrance"
REMEMBERED_PATHS = 1_024


def _call_view(request: HttpRequest) -> HttpResponse:
    match: Any = request.resolver_match
    return match.func(request, **match.kwargs)


_find_view: Callable[[str], ResolverMatch] = lru_cache(REMEMBERED_PATHS)(resolve)


class HotLane:
    """Answers requests to the hot addresses; made once in each web worker, when Django is set up."""

    def __init__(self) -> None:
        # An error becomes an answer at each step, so that a defect is logged and has its request id as well.
        answer: Any = convert_exception_to_response(_call_view)
        for name in reversed(settings.MIDDLEWARE[: settings.MIDDLEWARE.index(MACHINE_LANE)]):
            answer = convert_exception_to_response(import_string(name)(answer))
        self._answer: Callable[[HttpRequest], HttpResponse] = answer
        # Every address is loaded now, not while the first request waits.
        _find_view(APPEND_PATH)

    def handles(self, wsgi_environ: dict[str, Any]) -> bool:
        """Whether a request is for one of the hot addresses, written in the plainest way."""
        path = wsgi_environ["PATH_INFO"]
        is_hot = path == APPEND_PATH or (
            path.startswith(STREAM_PREFIX)
            and path.endswith(STREAM_SUFFIX)
            and path.find("/", len(STREAM_PREFIX)) == len(path) - len(STREAM_SUFFIX) > len(STREAM_PREFIX)
        )
        # A prefix before all addresses, or a path that must be decoded, is for Django to take apart.
        return is_hot and path.isascii() and path.isprintable() and not wsgi_environ.get("SCRIPT_NAME")

    def __call__(self, wsgi_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        request = WSGIRequest(wsgi_environ)
        request.resolver_match = _find_view(request.path_info)
        try:
            response = self._answer(request)
        finally:
            _give_connection_back()
        # Nothing under the API sets a cookie.
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [response.content]


def _give_connection_back() -> None:
    """Do what Django does at the end of a request, for a thread that asked the database."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            connection.close_if_unusable_or_obsolete()
