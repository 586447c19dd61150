"""What every request must be, before any view sees it."""

from typing import Any

from django.http import HttpRequest
from django.urls import Resolver404, resolve

from accounts.http.both_doors import BothDoors, Passage
from eventflow_site.api.problems import Problem

# Nothing answers OPTIONS (there is no CORS) or TRACE: what they would tell is in the documentation.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
API_PREFIX = "/api/"
MAX_PATH_CHARACTERS = 2_000
MAX_QUERY_CHARACTERS = 8_000


class TransportMiddleware(BothDoors):
    """Refuse what no endpoint could mean.

    A 405 under the API tells in `Allow` what is possible.
    """

    def passage(self, request: HttpRequest) -> Passage:
        problem = refusal_of(request)
        if problem is not None:
            return problem.as_response(request.request_id)  # type: ignore[attr-defined]
        response = yield
        if request.path_info.startswith(API_PREFIX):
            # REST framework tells it with every answer, and names OPTIONS.
            del response["Allow"]
            if response.status_code == 405:
                response["Allow"] = ", ".join(allowed_methods(request.path_info))
        return response


def refusal_of(request: HttpRequest) -> Problem | None:
    """Why a request is refused out of hand, or None."""
    path = request.path_info
    if len(path) > MAX_PATH_CHARACTERS or len(request.META.get("QUERY_STRING", "")) > MAX_QUERY_CHARACTERS:
        return Problem(414, "uri_too_long", "Address too long", "The address is too long.")
    if not path.isprintable():
        return Problem(400, "bad_request", "Bad request", "The address has control characters.")
    if request.method not in METHODS:
        allow = {"Allow": ", ".join(allowed_methods(path))}
        return Problem(405, "method_not_allowed", "Method not allowed", "There is no such method here.", headers=allow)
    return None


def allowed_methods(path: str) -> tuple[str, ...]:
    """What can be asked of an address; of one that does not exist, of a page: what might be."""
    try:
        view: Any = resolve(path).func
    except Resolver404:
        return METHODS
    handlers = getattr(view, "actions", None) or getattr(view, "cls", None) or getattr(view, "view_class", None)
    if handlers is None:
        return ("GET", "HEAD", "POST")
    has = handlers.__contains__ if isinstance(handlers, dict) else lambda name: hasattr(handlers, name)
    return tuple(name for name in METHODS if has("get" if name == "HEAD" else name.lower()))
