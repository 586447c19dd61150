"""Where a group is to be moved."""

from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.http.fields import StrictBooleanField, StrictDateTimeField, StrictIntegerField, StrictSerializer
from consumers.services.seek import SeekTarget, SeekTo
from streams.conf import MAX_OFFSET, MAX_PARTITIONS


class SeekPlaceSerializer(StrictSerializer):
    """Either an offset (the last one to count as finished) or a moment (the first event at or after it comes next)."""

    offset = StrictIntegerField(low=0, high=MAX_OFFSET, required=False)
    timestamp = StrictDateTimeField(required=False)

    either = ("offset", "timestamp")


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "enum": ["earliest", "latest"]},
            {
                "type": "object",
                "properties": {"offset": {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_OFFSET}},
                "required": ["offset"],
                "additionalProperties": False,
            },
            {
                "type": "object",
                "properties": {"timestamp": {"type": "string", "format": "date-time"}},
                "required": ["timestamp"],
                "additionalProperties": False,
            },
        ]
    }
)
class SeekToField(serializers.Field):
    """`"earliest"`, `"latest"`, `{"offset": n}` or `{"timestamp": t}`."""

    default_error_messages = {
        "invalid": 'Must be "earliest", "latest", {{"offset": n}} or {{"timestamp": "2026-11-22T10:00:00Z"}}.'
    }

    def to_internal_value(self, data: Any) -> SeekTarget:
        if isinstance(data, str) and data in (SeekTo.EARLIEST, SeekTo.LATEST):
            return SeekTarget(SeekTo(data))
        if not isinstance(data, dict):
            self.fail("invalid")
        place = SeekPlaceSerializer.checked(data)
        given = place.validated_data
        if "offset" in given:
            return SeekTarget(SeekTo.OFFSET, offset=given["offset"])
        return SeekTarget(SeekTo.TIMESTAMP, timestamp=given["timestamp"])


class SeekSerializer(StrictSerializer):
    to = SeekToField()
    partition = StrictIntegerField(low=0, high=MAX_PARTITIONS - 1, required=False)
    dry_run = StrictBooleanField(default=False)


@dataclass(frozen=True, slots=True)
class WantedSeek:
    """A seek that somebody asks for; without a partition it is for all of them."""

    target: SeekTarget
    partition: int | None
    is_dry_run: bool


def read_seek(given: Any) -> WantedSeek:
    """Return the seek that a body or a form describes.

    Raises:
        ValidationError
    """
    body = SeekSerializer.checked(given)
    wanted = body.validated_data
    return WantedSeek(wanted["to"], wanted.get("partition"), wanted["dry_run"])
