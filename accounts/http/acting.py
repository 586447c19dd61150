"""Every request has somebody who acts, for the audit trail."""

import weakref
from typing import Any

from django.http import HttpRequest

from accounts.acting import Actor, begin_acting, end_acting
from accounts.caller import Caller
from accounts.http.both_doors import BothDoors, Passage
from accounts.http.client_address import client_address


class ActingMiddleware(BothDoors):
    """Knows who asks, for as long as the request is answered."""

    def passage(self, request: HttpRequest) -> Passage:
        # Contexts are copied for threads and tasks, and what they hold lives as long as the last copy.
        asked = weakref.ref(request)
        token = begin_acting(lambda: actor_of(asked()))
        try:
            response = yield
        finally:
            end_acting(token)
        return response


def actor_of(request: HttpRequest | None) -> Actor:
    """Return who sent a request: REST framework puts its caller there, a session its user, and both may be nobody."""
    if request is None:
        return Actor()
    user: Any = getattr(request, "user", None)
    address = client_address(request)
    if isinstance(user, Caller):
        return Actor(user.reference, user.email, address)
    if user is not None and getattr(user, "is_authenticated", False):
        return Actor(f"user:{user.pk}", user.email, address)
    return Actor("anonymous", "", address)
