"""Requests, counted by where they went and how they ended: two additions a request."""

from prometheus_client import Counter, Histogram

from streams.metrics import LATENCY_BUCKETS

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_requests = Counter("eventflow_http_requests", "Requests answered, by route and status.", ["method", "route", "status"])
_seconds = Histogram(
    "eventflow_http_request_seconds",
    "Time from a request to its answer, without what it spent waiting for events.",
    ["route"],
    buckets=LATENCY_BUCKETS,
)
_children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}


def count_request(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count an answered request. Routes and statuses are a closed set; what a caller makes up is `other`."""
    key = (method, route or "", status)
    found = _children.get(key)
    if found is None:
        known = (method if method in METHODS else "other", route or "none", str(status))
        found = (_requests.labels(*known), _seconds.labels(known[1]))
        if key[0] in METHODS:
            _children[key] = found
    found[0].inc()
    found[1].observe(seconds)
