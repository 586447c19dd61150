"""What is counted of engines beside PostgreSQL that fail, by each process that meets it."""

from prometheus_client import Counter

_failures = Counter(
    "eventflow_engine_failures",
    "Calls of an engine beside PostgreSQL that failed: it was unavailable, or the outcome of an append is unknown.",
    ["engine", "outcome"],
)
_left_alone = Counter(
    "eventflow_engine_left_alone",
    "Times that a process left an engine alone, as it had failed again and again.",
    ["engine"],
)


def count_unavailable(alias: str) -> None:
    """Count a call that nobody answered."""
    _failures.labels(alias, "unavailable").inc()


def count_unknown(alias: str) -> None:
    """Count an append that may be stored or not."""
    _failures.labels(alias, "unknown").inc()


def count_left_alone(alias: str) -> None:
    """Count that an engine is asked no more, for a moment."""
    _left_alone.labels(alias).inc()
