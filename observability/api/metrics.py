"""`GET /metrics`: for Prometheus, on the address of everything else, closed to strangers."""

import hmac
import ipaddress
import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.http.bearer import bearer_token_of
from observability.numbers.collectors import collect_computed
from observability.telemetry.exposition import Family, render
from observability.telemetry.process_counters import counted_so_far

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REFUSAL = (
    "Metrics name streams and groups: set EVENTFLOW_METRICS_TOKEN and send it as a bearer token, "
    "or ask from this machine itself.\n"
)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Everything that is counted, and everything that is computed when somebody asks."""
    if not may_scrape(request):
        response = HttpResponse(REFUSAL, status=401, content_type="text/plain; charset=utf-8")
        response["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return response
    started = time.perf_counter()
    counted = counted_so_far()
    computed = collect_computed(now=timezone.now())
    duration = Family("eventflow_scrape_seconds", "gauge", "How long it took to make this page.")
    duration.add(round(time.perf_counter() - started, 6))
    return HttpResponse(counted + render([*computed, duration]), content_type=CONTENT_TYPE)


def may_scrape(request: HttpRequest) -> bool:
    """With a token set, whoever has it; without one, whoever asks from this machine itself.

    A request that a proxy passed on is not from this machine, wherever the proxy runs.
    """
    token = settings.METRICS_TOKEN
    if token:
        given = bearer_token_of(request.META.get("HTTP_AUTHORIZATION", "")) or ""
        return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
    if "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
