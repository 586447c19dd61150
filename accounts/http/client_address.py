"""From where a request comes and with what, as far as that can be believed."""

from django.conf import settings
from django.http import HttpRequest

from accounts.services.sessions import Visitor

MAX_CHARACTERS = 64
MAX_AGENT_CHARACTERS = 200


def client_address(request: HttpRequest) -> str:
    """Return the client's address: the peer's own, or what the operator's trusted proxies say of it.

    With n trusted proxies the n-th entry of `X-Forwarded-For` from the right is the client's: those before it are
    whatever the client sent.
    """
    peer = str(request.META.get("REMOTE_ADDR") or "unknown")
    trusted: int = settings.TRUSTED_PROXY_COUNT
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if trusted else ""
    entries = [entry.strip() for entry in forwarded.split(",") if entry.strip()]
    return (entries[-trusted] if trusted and len(entries) >= trusted else peer)[:MAX_CHARACTERS]


def user_agent(request: HttpRequest) -> str:
    """Return what the client calls itself; only for people to read."""
    text = str(request.META.get("HTTP_USER_AGENT") or "")[:MAX_AGENT_CHARACTERS]
    return "".join(character if character.isprintable() else "?" for character in text)


def visitor_of(request: HttpRequest) -> Visitor:
    """Return from where a person comes and with what."""
    return Visitor(client_address(request), user_agent(request))
