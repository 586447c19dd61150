"""Which dead letters are meant, and what is said with what is done to them."""

from typing import Any, NamedTuple

from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.http.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictDateTimeField,
    StrictIntegerField,
    StrictListField,
    StrictSerializer,
)
from consumers.conf import MAX_BULK_IDS, MAX_BULK_PER_SECOND, MAX_NOTE_CHARACTERS, MAX_SEARCH_CHARACTERS
from consumers.dead_letter_search import DeadLetterFilter
from consumers.states import DeadLetterStatus, ExhaustedReason
from streams.conf import MAX_OFFSET, MAX_PARTITIONS, MAX_TYPE_CHARACTERS


class DeadLetterFilterSerializer(StrictSerializer):
    stream = StrictCharField(required=False, max_length=128, help_text="The stream's name.")
    group = StrictCharField(required=False, max_length=128, help_text="The consumer group's name, on any stream.")
    status = StrictChoiceField(
        choices=[status.value for status in DeadLetterStatus], required=False, help_text="What became of it."
    )
    reason = StrictChoiceField(
        choices=[reason.value for reason in ExhaustedReason],
        required=False,
        help_text="Why the group gave up on it.",
    )
    since = StrictDateTimeField(required=False, help_text="Became a dead letter then or later.")
    until = StrictDateTimeField(required=False, help_text="Became a dead letter before.")
    type = StrictCharField(required=False, max_length=MAX_TYPE_CHARACTERS, help_text="The event's type.")
    fingerprint = StrictCharField(required=False, max_length=16, help_text="The error's fingerprint.")
    text = StrictCharField(
        required=False,
        max_length=MAX_SEARCH_CHARACTERS,
        help_text="Occurs in the last error, or in the event's type, id or key; capitals do not matter.",
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "since" in given and "until" in given and given["until"] <= given["since"]:
            raise ValidationError({"until": [ErrorDetail("Must be later than `since`.", code="out_of_range")]})
        return given

    def as_filter(self) -> DeadLetterFilter:
        return DeadLetterFilter(**self.validated_data)


def read_filter(given: Any) -> DeadLetterFilter:
    """Return the filter that a query or a body describes.

    Raises:
        ValidationError
    """
    serializer = DeadLetterFilterSerializer.checked(given)
    return serializer.as_filter()


class NoteSerializer(StrictSerializer):
    note = StrictCharField(required=False, default="", max_length=MAX_NOTE_CHARACTERS, allow_blank=True)


def read_note(given: Any) -> str:
    """Return the note that a body or a form gives.

    Raises:
        ValidationError
    """
    serializer = NoteSerializer.checked(given)
    return str(serializer.validated_data["note"])


class BulkFilterSerializer(DeadLetterFilterSerializer):
    ids = StrictListField(
        child=StrictIntegerField(low=1, high=MAX_OFFSET), min_length=1, max_length=MAX_BULK_IDS, required=False
    )


class BulkOptionsSerializer(NoteSerializer):
    per_second = StrictIntegerField(
        low=1,
        high=MAX_BULK_PER_SECOND,
        required=False,
        help_text="How many may go in a second, at most. Without it: as fast as the worker goes on.",
    )


class BulkOptions(NamedTuple):
    """What is said with a bulk action; `per_second` is None where no rate is given."""

    note: str
    per_second: int | None


def read_bulk_options(given: Any) -> BulkOptions:
    """Return what a form says with a bulk action.

    Raises:
        ValidationError
    """
    options = BulkOptionsSerializer.checked(given).validated_data
    return BulkOptions(options["note"], options.get("per_second"))


class BulkSerializer(BulkOptionsSerializer):
    filter = BulkFilterSerializer()
    dry_run = StrictBooleanField(default=False)


class ReportSerializer(StrictSerializer):
    partition = StrictIntegerField(low=0, high=MAX_PARTITIONS - 1, default=0)
    offset = StrictIntegerField(low=1, high=MAX_OFFSET)
    error = StrictCharField(required=False, default="", allow_blank=True, max_length=100_000)


def split_payload(given: Any) -> tuple[bytes | None, str]:
    """Return the payload, if one was sent, and the note.

    Raises:
        ValidationError
    """
    rest = dict(given)
    payload = rest.pop("payload", None)
    return payload, read_note(rest)


def split_copy(given: Any) -> tuple[bytes | None, dict[str, Any]]:
    """Return the event, if one was sent, and what else a report says.

    Raises:
        ValidationError
    """
    rest = dict(given)
    copy = rest.pop("event", None)
    return copy, ReportSerializer.checked(rest).validated_data
