"""From where a request comes, as far as that can be believed."""

from django.conf import settings
from django.http import HttpRequest

MAX_CHARACTERS = 64


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
