"""What is counted of alerts where it happens."""

from prometheus_client import Counter

_messages = Counter(
    "eventflow_alert_messages",
    "Tries to send a message about an alert, by the kind of channel and how they went.",
    ["kind", "outcome"],
)


def count_message(kind: str, outcome: str) -> None:
    """Count a try that was `sent`, `failed`, or `given_up` for good."""
    _messages.labels(kind, outcome).inc()
