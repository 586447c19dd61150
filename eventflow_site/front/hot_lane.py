"""The hot verbs, from the event loop straight to their views.

Django's own handler sends two signals, walks through every address and sets up what only pages use: as much
work again as an append itself. Requests for a lean view pass the same middleware, view and error handling as
through Django; only what Django does around them is left out.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from inspect import isawaitable
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.exception import convert_exception_to_response
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils.module_loading import import_string

from accounts.http.lean import LeanView
from eventflow_site.api.errors import problem_handler
from eventflow_site.front.requests import FrontRequest
from eventflow_site.machine_lane import API_PREFIX, FOLLOWED_BY_PAGES

HOT_VERBS = frozenset({"events", "lease", "ack", "nack", "extend", "release", "offsets", "live"})
# Asks nothing of anybody, so it answers whatever else is stuck.
ALIVE = "/healthz"
MACHINE_LANE = "eventflow_site.machine_lane.MachineLaneEntrance"
REMEMBERED_PATHS = 1_024


def find_hot_view(method: str, path: str) -> ResolverMatch | None:
    """Return the view of an address that is answered on the loop; None: it is for Django to take apart."""
    if path.rpartition("/")[2] in HOT_VERBS:
        # What must be decoded is none of these.
        is_hot = path.startswith(API_PREFIX) or path.endswith(FOLLOWED_BY_PAGES)
        return _find_lean_view(path) if is_hot and path.isascii() and path.isprintable() else None
    return resolve(path) if path == ALIVE and method in ("GET", "HEAD") else None


@lru_cache(REMEMBERED_PATHS)
def _find_lean_view(path: str) -> ResolverMatch | None:
    try:
        match = resolve(path)
    except Resolver404:
        return None
    return match if issubclass(getattr(match.func, "cls", object), LeanView) else None


async def _call_view(request: FrontRequest) -> HttpResponseBase:
    if request.refusal is not None:
        return problem_handler(request.refusal, {"request": request})
    match: Any = request.resolver_match
    response = match.func(request, **match.kwargs)
    return await response if isawaitable(response) else response


class HotLane:
    """Answers requests on the event loop; made once in each web worker, when Django is set up."""

    def __init__(self) -> None:
        # An error becomes an answer at each step, so that a defect is logged and has its request id as well.
        answer: Any = convert_exception_to_response(cast("Any", _call_view))
        for name in reversed(settings.MIDDLEWARE[: settings.MIDDLEWARE.index(MACHINE_LANE)]):
            middleware = import_string(name)
            if not getattr(middleware, "async_capable", False):
                raise ImproperlyConfigured(f"{name} stands before the machine lane, so it must be async_capable.")
            answer = convert_exception_to_response(middleware(answer))
        self.answer: Callable[[FrontRequest], Awaitable[HttpResponseBase]] = answer
        # Every address is loaded now, not while the first request waits.
        resolve(f"{API_PREFIX}events")
