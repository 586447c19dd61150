"""What is counted where it happens: deliveries by how they ended, dead letters."""

from prometheus_client import Counter

_deliveries = Counter(
    "eventflow_deliveries",
    "Events handed out in lease mode, by what became of them.",
    ["stream", "group", "outcome"],
)
_dead_letters = Counter(
    "eventflow_dead_letters",
    "Events that a group gave up on.",
    ["stream", "group", "reason"],
)
_redrives = Counter(
    "eventflow_dead_letters_closed",
    "Dead letters that somebody redrove, resolved or discarded.",
    ["stream", "group", "act"],
)


def count_deliveries(stream: str, group: str, outcome: str, events: int) -> None:
    """Count events that were `leased`, `acked`, `nacked`, `expired`, `released`."""
    if events:
        _deliveries.labels(stream, group, outcome).inc(events)


def count_dead_letters(stream: str, group: str, reason: str, events: int = 1) -> None:
    """Count events that became dead letters."""
    if events:
        _dead_letters.labels(stream, group, reason).inc(events)


def count_dead_letter_act(stream: str, group: str, act: str, count: int = 1) -> None:
    """Count dead letters that were `redriven`, `resolved` or `discarded`."""
    if count:
        _redrives.labels(stream, group, act).inc(count)
