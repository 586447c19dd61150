"""What is asked for with an erasure."""

from typing import Any

from accounts.http.fields import StrictCharField, StrictSerializer
from consumers.conf import MAX_REASON_CHARACTERS


class EraseEventSerializer(StrictSerializer):
    reason = StrictCharField(
        max_length=MAX_REASON_CHARACTERS,
        trim_whitespace=True,
        help_text="Why, for the audit trail, which keeps it for good: nothing of what is erased belongs here.",
    )


def read_reason(given: Any) -> str:
    """Return why an event is erased, as a body or a form says.

    Raises:
        ValidationError
    """
    serializer = EraseEventSerializer.checked(given)
    return str(serializer.validated_data["reason"])
