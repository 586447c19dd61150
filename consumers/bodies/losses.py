"""The body of an acknowledgment of lost events."""

from typing import Any

from accounts.http.fields import StrictIntegerField, StrictSerializer
from streams.conf import MAX_OFFSET


class AcknowledgeLossSerializer(StrictSerializer):
    lost_total = StrictIntegerField(
        low=0, high=MAX_OFFSET, help_text="The group's `lost_total` as you saw it: what it has lost since stays."
    )


def read_acknowledgment(given: Any) -> int:
    """Return how many lost events a body or a form says somebody has seen.

    Raises:
        ValidationError
    """
    lost_total: int = AcknowledgeLossSerializer.checked(given).validated_data["lost_total"]
    return lost_total
