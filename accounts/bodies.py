"""What may be asked for of keys, whichever door it comes by: the API's bodies and the dashboard's forms."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.conf import MAX_ROTATION_OVERLAP_SECONDS
from accounts.http.fields import (
    NameField,
    StrictCharField,
    StrictChoiceField,
    StrictDateTimeField,
    StrictIntegerField,
    StrictListField,
    StrictSerializer,
)
from accounts.names import NAME_PATTERN, is_well_formed
from accounts.roles import Right


class CreateApiKeySerializer(StrictSerializer):
    name = StrictCharField(max_length=120)
    scopes = StrictListField(
        child=StrictChoiceField(choices=[right.value for right in Right]), min_length=1, max_length=3
    )
    streams = StrictListField(child=NameField(), min_length=1, max_length=100, allow_null=True, default=None)
    expires_at = StrictDateTimeField(allow_null=True, default=None)

    def validate_streams(self, names: list[str] | None) -> list[str] | None:
        if not all(map(is_well_formed, names or ())):
            raise serializers.ValidationError(f"The name of a stream matches {NAME_PATTERN}.", code="invalid_name")
        return names

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("Must be in the future.", code="in_the_past")
        return value


class RotateSerializer(StrictSerializer):
    overlap_seconds = StrictIntegerField(low=0, high=MAX_ROTATION_OVERLAP_SECONDS, default=0)


def read_new_api_key(given: Any) -> dict[str, Any]:
    """Return the arguments of `create_api_key` that a body or a form gives.

    Raises:
        ValidationError
    """
    body = CreateApiKeySerializer.checked(given)
    fields = dict(body.validated_data)
    fields["stream_names"] = fields.pop("streams")
    return fields


def read_overlap_seconds(given: Any) -> int:
    """Return for how long an old key goes on working beside its successor, in seconds.

    Raises:
        ValidationError
    """
    body = RotateSerializer.checked(given)
    return int(body.validated_data["overlap_seconds"])
