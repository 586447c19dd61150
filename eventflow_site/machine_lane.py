"""A lane for requests of machines, past the middleware that serves browsers.

Sessions, CSRF, messages and CSP are for people with cookies. A request under /api/ carries a key or a
token, so it neither needs them nor pays for them: the entrance stands before them, the exit behind them,
and a machine's request goes straight from one to the other.

A page that follows a stream does so by this lane too: it is answered on the event loop, by a view that looks at the
session itself.
"""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

Handler = Callable[[HttpRequest], HttpResponseBase]

API_PREFIX = "/api/v1/"
# These live under the API's address but are pages, with scripts that the CSP must allow.
PAGES_UNDER_API = ("/api/v1/docs",)
# After `/streams/{stream}`.
FOLLOWED_BY_PAGES = "/tail/live"
MACHINE_PATHS = frozenset({"/metrics", "/healthz", "/readyz"})


def is_machine_request(path: str) -> bool:
    """Whether a path is asked for by programs, or needs nothing of what stands in the way for browsers with cookies."""
    if path.startswith(API_PREFIX):
        return not path.startswith(PAGES_UNDER_API)
    return path in MACHINE_PATHS or path.endswith(FOLLOWED_BY_PAGES)


class MachineLaneExit:
    """The innermost middleware: what it hands on to is where the lane ends."""

    # Django builds middleware from the inside out, so an entrance finds the exit of its own chain here.
    latest: "MachineLaneExit"

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        MachineLaneExit.latest = self

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)


class MachineLaneEntrance:
    """Send a machine's request to the exit, everybody else's through the browser's middleware."""

    def __init__(self, get_response: Handler) -> None:
        self.browsers = get_response
        self.machines = MachineLaneExit.latest.get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.machines(request) if is_machine_request(request.path_info) else self.browsers(request)
