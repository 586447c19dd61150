"""What every request must be, before any view sees it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from eventflow_site.api.problems import Problem

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_PATH_CHARACTERS = 2_000
MAX_QUERY_CHARACTERS = 8_000


class TransportMiddleware:
    """Refuse what no endpoint could mean: other methods, endless paths, control characters."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        problem = refusal_of(request)
        return self.get_response(request) if problem is None else problem.as_response(request.request_id)  # type: ignore[attr-defined]


def refusal_of(request: HttpRequest) -> Problem | None:
    """Why a request is refused out of hand, or None."""
    if request.method not in METHODS:
        allow = {"Allow": ", ".join(sorted(METHODS))}
        return Problem(405, "method_not_allowed", "Method not allowed", "There is no such method here.", headers=allow)
    path = request.path_info
    if len(path) > MAX_PATH_CHARACTERS or len(request.META.get("QUERY_STRING", "")) > MAX_QUERY_CHARACTERS:
        return Problem(414, "uri_too_long", "Address too long", "The address is too long.")
    if not path.isprintable():
        return Problem(400, "bad_request", "Bad request", "The address has control characters.")
    return None
