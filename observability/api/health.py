"""`/healthz` and `/readyz`: for load balancers and supervisors, outside of the API's addresses."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from observability.telemetry.health import check_readiness


@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """Alive: this process answers. Asks no database, so that an outage of it restarts nothing."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Ready: the database is writable and durable, the migrations are applied; else 503 with what is wrong."""
    found = check_readiness()
    status = "ready" if found.is_ready else "not ready"
    return JsonResponse(
        {"status": status, "reasons": found.reasons, "degraded": found.degraded}, status=200 if found.is_ready else 503
    )
