"""Every request has somebody who acts, for the audit trail."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.acting import Actor, acting
from accounts.caller import Caller
from accounts.http.client_address import client_address


class ActingMiddleware:
    """Knows who asks, for as long as the request is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting(lambda: actor_of(request)):
            return self.get_response(request)


def actor_of(request: HttpRequest) -> Actor:
    """Return who sent a request: REST framework puts its caller there, a session its user, and both may be nobody."""
    user: Any = getattr(request, "user", None)
    address = client_address(request)
    if isinstance(user, Caller):
        return Actor(user.reference, user.email, address)
    if user is not None and getattr(user, "is_authenticated", False):
        return Actor(f"user:{user.pk}", user.email, address)
    return Actor("anonymous", "", address)
