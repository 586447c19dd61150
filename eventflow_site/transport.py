"""What every request must be, before any view sees it."""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from accounts.errors import UnsupportedCharset
from accounts.http.both_doors import BothDoors, Passage
from eventflow_site.api.problems import Problem
from eventflow_site.machine_lane import is_machine_request

# Nothing answers OPTIONS (a preflight of CORS does not get here) or TRACE: what they would tell is documented.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
API_PREFIX = "/api/"
METRICS = "/metrics"
# They come by address, whatever the site is called, and what they are told is no secret.
PROBES = frozenset({"/healthz", "/readyz"})
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
MAX_PATH_CHARACTERS = 2_000
# Of a name, and of a port after it. Longer ones are not even remembered: a thousand of them would fill the memory.
MAX_HOST_CHARACTERS = 253 + len(":65535")
MAX_QUERY_CHARACTERS = 8_000


class TransportMiddleware(BothDoors):
    """Refuse what no endpoint could mean, and on the machine lane what Django's middleware refuses for browsers.

    A 405 under the API tells in `Allow` what is possible.
    """

    def passage(self, request: HttpRequest) -> Passage:
        path = request.path_info
        is_machine = is_machine_request(path)
        problem = _refusal_of(request, path, is_machine=is_machine)
        if problem is None:
            response = yield
        else:
            response = problem.as_response(request)
        if path.startswith(API_PREFIX):
            # REST framework tells it with every answer, and names OPTIONS.
            response.headers.pop("Allow")
            if response.status_code == 405:
                response["Allow"] = ", ".join(allowed_methods(path))
        if is_machine:
            _protect(request, response)
        return response


def _protect(request: HttpRequest, response: HttpResponseBase) -> None:
    """Tell browsers that get here after all what Django's SecurityMiddleware tells them elsewhere."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if settings.SECURE_HSTS_SECONDS and request.is_secure():
        response["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"


def _refusal_of(request: HttpRequest, path: str, *, is_machine: bool) -> Problem | None:
    """Why a request is refused out of hand, or None."""
    if len(path) > MAX_PATH_CHARACTERS or len(request.META.get("QUERY_STRING", "")) > MAX_QUERY_CHARACTERS:
        return Problem(414, "uri_too_long", "Address too long", "The address is too long.")
    if not path.isprintable():
        return Problem(400, "bad_request", "Bad request", "The address has control characters.")
    if request.method not in METHODS:
        allow = {"Allow": ", ".join(allowed_methods(path))}
        return Problem(405, "method_not_allowed", "Method not allowed", "There is no such method here.", headers=allow)
    if request.content_type in FORMS and (request.content_params or {}).get("charset", "utf-8").lower() != "utf-8":
        return Problem(415, UnsupportedCharset.code, UnsupportedCharset.title, "Forms are read as UTF-8 only.")
    return _refusal_of_machine(request, is_scrape=path == METRICS) if is_machine and path not in PROBES else None


def _refusal_of_machine(request: HttpRequest, *, is_scrape: bool) -> Problem | None:
    host = request.META.get("HTTP_HOST")
    # A page that has made its own name point at this machine sends that name. Who knows a secret needs no such guard.
    is_guarded = host is not None and not (is_scrape and settings.METRICS_TOKEN)
    if is_guarded and not is_our_host(host or "", tuple(settings.ALLOWED_HOSTS)):
        return Problem(400, "unknown_host", "Unknown host", "This site does not go by the name in the header Host.")
    if settings.SECURE_SSL_REDIRECT and not is_scrape and not request.is_secure():
        # No redirect: the credentials have come in the clear already, and nobody would notice.
        return Problem(403, "https_required", "HTTPS required", "Send this to the same address with https://.")
    return None


def is_our_host(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a site with these ALLOWED_HOSTS goes by the name in a Host header."""
    return len(host) <= MAX_HOST_CHARACTERS and _is_our_host(host, allowed)


@lru_cache(1_024)
def _is_our_host(host: str, allowed: tuple[str, ...]) -> bool:
    domain, _port = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


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
