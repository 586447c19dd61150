"""The hot verbs, from the web server straight to their views.

Django's own handler sends two signals, walks through every address and sets up what only pages use: as much
work again as an append itself. Requests for a lean view pass the same middleware, view and error handling as
through Django; only what Django does around them is left out.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIRequest
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils.module_loading import import_string

from accounts.http.lean import LeanView
from accounts.waits import run_blocking
from eventflow_site.machine_lane import API_PREFIX

HOT_VERBS = frozenset({"events", "lease", "ack", "nack", "extend", "release"})
MACHINE_LANE = "eventflow_site.machine_lane.MachineLaneEntrance"
REMEMBERED_PATHS = 1_024


@lru_cache(REMEMBERED_PATHS)
def _find_lean_view(path: str) -> ResolverMatch | None:
    try:
        match = resolve(path)
    except Resolver404:
        return None
    return match if issubclass(getattr(match.func, "cls", object), LeanView) else None


def _call_view(request: HttpRequest) -> HttpResponse:
    match: Any = request.resolver_match
    # A thread of this server may wait: each wait of the view blocks it.
    return run_blocking(match.func(request, **match.kwargs))


class HotLane:
    """Answers requests for lean views; made once in each web worker, when Django is set up."""

    def __init__(self) -> None:
        # An error becomes an answer at each step, so that a defect is logged and has its request id as well.
        answer: Any = convert_exception_to_response(_call_view)
        for name in reversed(settings.MIDDLEWARE[: settings.MIDDLEWARE.index(MACHINE_LANE)]):
            answer = convert_exception_to_response(import_string(name)(answer))
        self._answer: Callable[[HttpRequest], HttpResponse] = answer
        # Every address is loaded now, not while the first request waits.
        resolve(f"{API_PREFIX}events")

    def __call__(self, wsgi_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes] | None:
        """Answer a request for a lean view; None, and nothing done, if it is for anything else."""
        match = _match_of(wsgi_environ)
        if match is None:
            return None
        request = WSGIRequest(wsgi_environ)
        request.resolver_match = match
        try:
            response = self._answer(request)
        finally:
            _give_connection_back()
        # Nothing under the API sets a cookie.
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [response.content]


def _match_of(wsgi_environ: dict[str, Any]) -> ResolverMatch | None:
    path: str = wsgi_environ["PATH_INFO"]
    if path.rpartition("/")[2] not in HOT_VERBS or not path.startswith(API_PREFIX):
        return None
    # A prefix before all addresses, or a path that must be decoded, is for Django to take apart.
    if wsgi_environ.get("SCRIPT_NAME") or not (path.isascii() and path.isprintable()):
        return None
    return _find_lean_view(path)


def _give_connection_back() -> None:
    """Do what Django does at the end of a request, for a thread that asked the database."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            connection.close_if_unusable_or_obsolete()
