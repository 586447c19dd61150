"""The body of a release by hand."""

from typing import Any

from accounts.http.fields import StrictIntegerField, StrictSerializer
from streams.conf import MAX_OFFSET


class ReleaseDeliverySerializer(StrictSerializer):
    delivery_count = StrictIntegerField(
        low=1,
        high=MAX_OFFSET,
        required=False,
        help_text="As you saw it: a lease that somebody else took meanwhile is left alone.",
    )


def read_release(given: Any) -> int | None:
    """Return the delivery count of the lease that is meant, or None for whichever there is.

    Raises:
        ValidationError
    """
    count: int | None = ReleaseDeliverySerializer.checked(given).validated_data.get("delivery_count")
    return count
