"""Who asks, in the type that the rules read: Django's stubs know only its own users."""

from typing import cast

from django.http import HttpRequest
from rest_framework.request import Request

from accounts.caller import Caller


def caller_of(request: HttpRequest | Request) -> Caller:
    """Return the authenticated caller; the view's permission has made sure that there is one."""
    return cast("Caller", request.user)
