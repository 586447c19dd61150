"""What may be asked for of streams, whichever door it comes by: the API's bodies and the dashboard's forms."""

from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from accounts.bodies import GrantSerializer
from accounts.http.fields import (
    NameField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictListField,
    StrictMapField,
    StrictSerializer,
)
from accounts.roles import Right
from streams.conf import MAX_OFFSET, MAX_PARTITIONS
from streams.labels import MAX_LABEL_CHARACTERS, MAX_LABELS, explain_labels
from streams.models import Visibility
from streams.services.lifecycle import StreamSettings


class RetentionSerializer(StrictSerializer):
    """Limits after which the oldest events go, whichever is reached first; null: no limit."""

    max_age = StrictIntegerField(low=1, high=100 * 366 * 86400, allow_null=True, default=None)
    max_bytes = StrictIntegerField(low=1, high=MAX_OFFSET, allow_null=True, default=None)
    max_events = StrictIntegerField(low=1, high=MAX_OFFSET, allow_null=True, default=None)


class ChangeStreamSerializer(StrictSerializer):
    description = StrictCharField(max_length=1000, allow_blank=True, required=False)
    visibility = StrictChoiceField(choices=Visibility.values, required=False)
    retention = RetentionSerializer(required=False)
    paused = StrictBooleanField(required=False)
    labels = StrictMapField(
        child=StrictCharField(max_length=MAX_LABEL_CHARACTERS, allow_blank=True), most=MAX_LABELS, required=False
    )
    owner = StrictCharField(
        max_length=254,
        required=False,
        help_text="E-mail address of a user, or name of a team: yours, unless you are an admin.",
    )

    def validate_labels(self, labels: dict[str, str]) -> dict[str, str]:
        if wrong := explain_labels(labels):
            raise serializers.ValidationError(wrong, code="invalid")
        return labels

    def settings(self) -> dict[str, Any]:
        """What was given, as fields of the model."""
        given = dict(self.validated_data)
        retention = given.pop("retention", None)
        if retention is not None:
            given |= {
                "retention_max_age_seconds": retention["max_age"],
                "retention_max_bytes": retention["max_bytes"],
                "retention_max_events": retention["max_events"],
            }
        if "paused" in given:
            given["is_paused"] = given.pop("paused")
        return given


class CreateStreamSerializer(ChangeStreamSerializer):
    name = NameField()
    partitions = StrictIntegerField(low=1, high=MAX_PARTITIONS, default=1)


@dataclass(frozen=True, slots=True)
class NewStream:
    """A stream that somebody asks for; `owner` is None where they mean themselves."""

    name: str
    owner: str | None
    settings: StreamSettings


def read_new_stream(given: Any) -> NewStream:
    """Return the stream that a body or a form describes.

    Raises:
        ValidationError
    """
    body = CreateStreamSerializer.checked(given)
    settings = body.settings()
    return NewStream(settings.pop("name"), settings.pop("owner", None), StreamSettings(**settings))


def read_stream_changes(given: Any) -> tuple[dict[str, Any], str | None]:
    """Return the settings that a body or a form changes, as fields of the model, and the new owner if one is named.

    Raises:
        ValidationError
    """
    settings = ChangeStreamSerializer.checked(given).settings()
    owner = settings.pop("owner", None)
    return settings, owner


class GrantStreamSerializer(GrantSerializer):
    rights = StrictListField(
        child=StrictChoiceField(choices=[right.value for right in Right]), min_length=1, max_length=3
    )


def read_stream_grant(given: Any) -> tuple[dict[str, str | None], list[Right]]:
    """Return whom a body names, as arguments of `find_grantee`, and the rights to give them.

    Raises:
        ValidationError
    """
    fields = GrantStreamSerializer.checked(given).validated_data
    return {"user": fields.get("user"), "team": fields.get("team")}, [Right(right) for right in fields["rights"]]
