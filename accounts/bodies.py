"""What may be asked for of keys, teams and grants, by whichever door: the API's bodies and the dashboard's forms."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.addresses import read_network
from accounts.conf import MAX_KEY_ADDRESSES, MAX_KEY_NAME_CHARACTERS, MAX_ROTATION_OVERLAP_SECONDS
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
from accounts.roles import MEANING_OF_SCOPE, Scope


class CreateApiKeySerializer(StrictSerializer):
    name = StrictCharField(max_length=MAX_KEY_NAME_CHARACTERS)
    scopes = StrictListField(
        child=StrictChoiceField(choices=[scope.value for scope in Scope]),
        min_length=1,
        max_length=len(Scope),
        help_text="; ".join(f"`{scope}`: {meaning}" for scope, meaning in MEANING_OF_SCOPE.items()) + ".",
    )
    streams = StrictListField(child=NameField(), min_length=1, max_length=100, allow_null=True, default=None)
    expires_at = StrictDateTimeField(allow_null=True, default=None)
    addresses = StrictListField(
        child=StrictCharField(max_length=49), min_length=1, max_length=MAX_KEY_ADDRESSES, allow_null=True, default=None
    )

    def validate_addresses(self, texts: list[str] | None) -> list[str] | None:
        networks = [read_network(text) for text in texts or ()]
        if None in networks:
            raise serializers.ValidationError(
                "Give addresses (192.0.2.7) and networks whose mask fits (192.0.2.0/24, 2001:db8::/32).", code="invalid"
            )
        return texts and [network for network in networks if network]

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


class CreateTeamSerializer(StrictSerializer):
    name = NameField()
    description = StrictCharField(max_length=1000, allow_blank=True, default="")

    def validate_name(self, name: str) -> str:
        if not is_well_formed(name):
            raise serializers.ValidationError(f"The name of a team matches {NAME_PATTERN}.", code="invalid_name")
        return name


class ChangeTeamSerializer(StrictSerializer):
    description = StrictCharField(max_length=1000, allow_blank=True, required=False)


class GrantSerializer(StrictSerializer):
    """Whom something is granted, a user or a team; and what."""

    either = ("user", "team")

    user = StrictCharField(max_length=254, required=False, help_text="E-mail address of a user.")
    team = StrictCharField(max_length=128, required=False, help_text="Name of a team.")


def read_new_team(given: Any) -> dict[str, str]:
    """Return the arguments of `create_team` that a body gives.

    Raises:
        ValidationError
    """
    return dict(CreateTeamSerializer.checked(given).validated_data)


def read_team_changes(given: Any) -> dict[str, str]:
    """Return what a body changes of a team, as `change_team` takes it.

    Raises:
        ValidationError
    """
    return dict(ChangeTeamSerializer.checked(given).validated_data)
