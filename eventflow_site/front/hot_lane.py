"""The hot verbs, from the event loop straight to their views.

Django's own handler sends two signals, walks through every address and sets up what only pages use: as much
work again as an append itself. Requests for a lean view pass the same middleware, view and error handling as
through Django; only what Django does around them is left out.
"""

from functools import lru_cache
from inspect import isawaitable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.exception import response_for_exception
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils.module_loading import import_string

from accounts.http.both_doors import BothDoors, Passage, break_off, enter, leave
from accounts.http.lean import LeanView
from eventflow_site.api.errors import problem_handler
from eventflow_site.front.requests import FrontRequest
from eventflow_site.machine_lane import API_PREFIX, FOLLOWED_BY_PAGES
from eventflow_site.transport import MAX_PATH_CHARACTERS

HOT_VERBS = frozenset({"events", "lease", "ack", "nack", "extend", "release", "offsets", "live"})
# Asks nothing of anybody, so it answers whatever else is stuck.
ALIVE = "/healthz"
MACHINE_LANE = "eventflow_site.machine_lane.MachineLaneEntrance"
REMEMBERED_PATHS = 1_024


def find_hot_view(method: str, path: str) -> ResolverMatch | None:
    """Return the view of an address that is answered on the loop; None: it is for Django to take apart."""
    if len(path) > MAX_PATH_CHARACTERS:
        # Not remembered: it is refused, and a thousand of them would fill the memory.
        return None
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
    if not issubclass(getattr(match.func, "cls", object), LeanView):
        return None
    # REST framework's wrapper says that there is no check of a form's origin; nobody here would make one.
    match.func = match.func.__wrapped__  # type: ignore[attr-defined]
    return match


async def _answer_of(request: FrontRequest) -> HttpResponseBase:
    if request.refusal is not None:
        return problem_handler(request.refusal, {"request": request})
    match: Any = request.resolver_match
    response = match.func(request, **match.kwargs)
    return await response if isawaitable(response) else response


async def _as_response(request: FrontRequest, error: Exception) -> HttpResponseBase:
    # It renders a page and writes to the log, so not on the loop.
    response: HttpResponseBase = await sync_to_async(response_for_exception, thread_sensitive=False)(request, error)
    return response


def _nobody(_request: HttpRequest) -> HttpResponseBase:
    raise RuntimeError("middleware on the event loop has only its passage")


class HotLane:
    """Answers requests on the event loop; made once in each web worker, when Django is set up."""

    def __init__(self) -> None:
        self._middleware: list[BothDoors] = []
        for name in settings.MIDDLEWARE[: settings.MIDDLEWARE.index(MACHINE_LANE)]:
            middleware = import_string(name)
            if not issubclass(middleware, BothDoors):
                raise ImproperlyConfigured(f"{name} stands before the machine lane, so it must be a BothDoors.")
            self._middleware.append(middleware(_nobody))
        # Every address is loaded now, not while the first request waits.
        resolve(f"{API_PREFIX}events")

    async def answer(self, request: FrontRequest) -> HttpResponseBase:
        """Take a request through all middleware to its view, and the response back.

        In one coroutine, however many there are: a request that waits keeps each that it is in. An error becomes an
        answer at each step, so that a defect is logged and has its request id as well.
        """
        passages: list[Passage] = []
        try:
            try:
                response = enter(passages, self._middleware, request)
                if response is None:
                    response = await _answer_of(request)
            except Exception as error:  # noqa: BLE001 - as Django does
                response = await _as_response(request, error)
        except BaseException as error:
            break_off(passages, error)
            raise
        while passages:
            try:
                response = leave(passages.pop(), response)
            except Exception as error:  # noqa: BLE001 - as Django does
                response = await _as_response(request, error)
        return response
