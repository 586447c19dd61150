"""What may be asked for of alert rules and channels, by whichever door."""

from typing import Any

from rest_framework import serializers

from accounts.http.fields import (
    NameField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictListField,
    StrictSerializer,
)
from observability.alerts.rules import NewRule
from observability.alerts.targets import MAX_URL_CHARACTERS
from observability.conf import (
    CHANNELS_OF_ONE_RULE,
    MAX_ALERT_FOR_SECONDS,
    MAX_ALERT_REPEAT_SECONDS,
    MIN_ALERT_REPEAT_SECONDS,
)
from observability.models import ChannelKind, What

MAX_ID = 2**63 - 1
# `for` is a word of Python's: the field gets its name where fields are collected.
_FOR = "for"
OWNER_HELP = "E-mail address of a user, or name of a team: yours, unless you are an admin."


class ChangeAlertRuleSerializer(StrictSerializer):
    threshold = StrictIntegerField(
        low=0, high=10**12, required=False, help_text="From this number on; seconds or percent where the kind says so."
    )
    repeat = StrictIntegerField(
        low=0,
        high=MAX_ALERT_REPEAT_SECONDS,
        required=False,
        source="repeat_seconds",
        help_text=f"Seconds after which it is said again, {MIN_ALERT_REPEAT_SECONDS} or more; 0: once.",
    )
    paused = StrictBooleanField(required=False, source="is_paused")
    channels = StrictListField(
        child=StrictIntegerField(low=1, high=MAX_ID),
        min_length=1,
        max_length=CHANNELS_OF_ONE_RULE,
        required=False,
        source="channel_ids",
        help_text="Ids of alert channels of the same owner, or of a team of the owner's.",
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        fields[_FOR] = StrictIntegerField(
            low=0,
            high=MAX_ALERT_FOR_SECONDS,
            required=False,
            source="for_seconds",
            help_text="Seconds for which it must be so before anybody is told.",
        )
        return fields

    def validate_repeat(self, seconds: int) -> int:
        if 0 < seconds < MIN_ALERT_REPEAT_SECONDS:
            detail = f"Give 0, or {MIN_ALERT_REPEAT_SECONDS} seconds and more."
            raise serializers.ValidationError(detail, code="out_of_range")
        return seconds


class CreateAlertRuleSerializer(ChangeAlertRuleSerializer):
    what = StrictChoiceField(choices=What.values)
    stream = NameField(allow_null=True, default=None, help_text="Without one: all that the owner may see.")
    group = NameField(allow_null=True, default=None)
    threshold = StrictIntegerField(
        low=0, high=10**12, help_text="From this number on; seconds or percent where the kind says so."
    )
    channels = StrictListField(
        child=StrictIntegerField(low=1, high=MAX_ID),
        min_length=1,
        max_length=CHANNELS_OF_ONE_RULE,
        source="channel_ids",
        help_text="Ids of alert channels of the same owner, or of a team of the owner's.",
    )
    owner = StrictCharField(max_length=254, required=False, help_text=OWNER_HELP)


def read_new_rule(given: Any) -> tuple[NewRule, str | None]:
    """Return the rule that a body or a form describes, and its owner if one is named.

    Raises:
        ValidationError
    """
    fields = dict(CreateAlertRuleSerializer.checked(given).validated_data)
    owner = fields.pop("owner", None)
    new = NewRule(
        what=fields["what"],
        stream=fields["stream"],
        group=fields["group"],
        threshold=fields["threshold"],
        for_seconds=fields.get("for_seconds", 0),
        repeat_seconds=fields.get("repeat_seconds", 0),
        is_paused=fields.get("is_paused", False),
        channel_ids=tuple(fields["channel_ids"]),
    )
    return new, owner


def read_rule_changes(given: Any) -> dict[str, Any]:
    """Return what a body or a form changes of a rule, as `change_rule` takes it.

    Raises:
        ValidationError
    """
    return dict(ChangeAlertRuleSerializer.checked(given).validated_data)


class ChangeAlertChannelSerializer(StrictSerializer):
    name = StrictCharField(max_length=120, required=False)
    url = StrictCharField(
        max_length=MAX_URL_CHARACTERS, required=False, help_text="Of a webhook or for Slack; never shown whole again."
    )
    address = StrictCharField(max_length=254, required=False, help_text="E-mail address.")

    def validate_address(self, address: str) -> str:
        serializers.EmailField().run_validation(address)
        return address.strip().lower()

    def validate_name(self, name: str) -> str:
        if not name.isprintable():
            raise serializers.ValidationError("Give letters, digits and signs only.", code="invalid")
        return name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        kind = attrs.get("kind") or self.context.get("kind")
        wanted, other = ("address", "url") if kind == ChannelKind.EMAIL else ("url", "address")
        if other in attrs:
            raise serializers.ValidationError({other: [f"A channel of the kind {kind} has none."]}, code="invalid")
        if "kind" in attrs and wanted not in attrs:
            raise serializers.ValidationError({wanted: ["This field is required."]}, code="required")
        return attrs


class CreateAlertChannelSerializer(ChangeAlertChannelSerializer):
    name = StrictCharField(max_length=120)
    kind = StrictChoiceField(choices=ChannelKind.values)
    owner = StrictCharField(max_length=254, required=False, help_text=OWNER_HELP)


def read_new_channel(given: Any) -> tuple[dict[str, str], str | None]:
    """Return the arguments of `create_channel` that a body or a form gives, and the owner if one is named.

    Raises:
        ValidationError
    """
    fields = dict(CreateAlertChannelSerializer.checked(given).validated_data)
    target = fields.get("url") or fields.get("address")
    return {"kind": fields["kind"], "name": fields["name"], "target": str(target)}, fields.get("owner")


def read_channel_changes(given: Any, *, kind: str) -> dict[str, str]:
    """Return the fields of a channel of this kind that a body or a form changes.

    Raises:
        ValidationError
    """
    body = ChangeAlertChannelSerializer(data=given, context={"kind": kind})
    body.is_valid(raise_exception=True)
    fields = dict(body.validated_data)
    target = fields.pop("url", None) or fields.pop("address", None)
    return fields | ({"target": target} if target else {})
