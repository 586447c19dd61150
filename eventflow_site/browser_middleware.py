"""Django's browser middleware, which requests under /api/ pass by.

Sessions, CSRF, messages and CSP serve people with cookies. An API request carries a key or a token,
so it neither needs them nor pays for them. They subclass the originals because Django's system
checks look for exactly those.
"""

from typing import Any

from axes.middleware import AxesMiddleware as Axes
from csp.middleware import CSPMiddleware as Csp
from django.contrib.auth.middleware import AuthenticationMiddleware as Authentication
from django.contrib.messages.middleware import MessageMiddleware as Message
from django.contrib.sessions.middleware import SessionMiddleware as Session
from django.http import HttpRequest
from django.middleware.clickjacking import XFrameOptionsMiddleware as XFrameOptions
from django.middleware.common import CommonMiddleware as Common
from django.middleware.csrf import CsrfViewMiddleware as CsrfView
from django.middleware.security import SecurityMiddleware as Security
from django_htmx.middleware import HtmxMiddleware as Htmx
from whitenoise.middleware import WhiteNoiseMiddleware as WhiteNoise

API_PREFIX = "/api/v1/"
# These live under the API's address but are pages, with scripts that the CSP must allow.
PAGES_UNDER_API = ("/api/v1/docs",)
MACHINE_PATHS = ("/metrics", "/healthz", "/readyz")


def is_machine_request(path: str) -> bool:
    """Whether a path is asked for by programs, not by browsers with cookies."""
    return (path.startswith(API_PREFIX) and not path.startswith(PAGES_UNDER_API)) or path in MACHINE_PATHS


class BrowserOnly:
    """Mixin: hand a machine's request straight on."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if is_machine_request(request.path_info):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]


class SecurityMiddleware(BrowserOnly, Security): ...


class WhiteNoiseMiddleware(BrowserOnly, WhiteNoise): ...


class SessionMiddleware(BrowserOnly, Session): ...


class CommonMiddleware(BrowserOnly, Common): ...


class CsrfViewMiddleware(BrowserOnly, CsrfView):
    def process_view(self, request: HttpRequest, *view: Any) -> Any:
        return None if is_machine_request(request.path_info) else super().process_view(request, *view)


class AuthenticationMiddleware(BrowserOnly, Authentication): ...


class MessageMiddleware(BrowserOnly, Message): ...


class XFrameOptionsMiddleware(BrowserOnly, XFrameOptions): ...


class CSPMiddleware(BrowserOnly, Csp): ...


class HtmxMiddleware(BrowserOnly, Htmx): ...


class AxesMiddleware(BrowserOnly, Axes): ...
