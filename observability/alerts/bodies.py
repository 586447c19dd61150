"""What may be asked for of alert rules and channels, by whichever door."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
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
from accounts.row_ids import MAX_ROW_ID
from observability.alerts.kinds import KINDS, Scope
from observability.alerts.rules import NewRule
from observability.alerts.targets import MAX_URL_CHARACTERS, URL_PATTERN
from observability.conf import (
    CHANNELS_OF_ONE_RULE,
    MAX_ALERT_FOR_SECONDS,
    MAX_ALERT_REPEAT_SECONDS,
    MIN_ALERT_REPEAT_SECONDS,
)
from observability.models import ChannelKind, What

# `for` is a word of Python's: the field gets its name where fields are collected.
_FOR = "for"
OWNER_HELP = "E-mail address of a user, or name of a team: yours, unless you are an admin."


_NONE: dict[str, Any] = {"nullable": True, "enum": [None]}
# Of what a rule can be: a group only with its stream.
_ABOUT: dict[Scope, dict[str, Any]] = {
    Scope.GROUP: {
        "anyOf": [
            {"properties": {"group": _NONE}},
            {"required": ["stream"], "properties": {"stream": {"type": "string"}}},
        ]
    },
    Scope.STREAM: {"properties": {"group": _NONE}},
    Scope.INSTALLATION: {"properties": {"stream": _NONE, "group": _NONE}},
}
# Which field says where a channel of a kind leads.
_TARGETS: dict[str, str] = {ChannelKind.EMAIL: "address", ChannelKind.WEBHOOK: "url", ChannelKind.SLACK: "url"}


@extend_schema_field(
    {
        "anyOf": [
            {"type": "integer", "enum": [0]},
            {"type": "integer", "minimum": MIN_ALERT_REPEAT_SECONDS, "maximum": MAX_ALERT_REPEAT_SECONDS},
        ]
    }
)
class _RepeatField(StrictIntegerField):
    """Seconds between two messages of the same, or 0."""

    default_error_messages = {"out_of_range": f"Give 0, or {MIN_ALERT_REPEAT_SECONDS} to {{high}} seconds."}

    def to_internal_value(self, data: Any) -> int:
        seconds = super().to_internal_value(data)
        if 0 < seconds < MIN_ALERT_REPEAT_SECONDS:
            self.fail("out_of_range", high=self.max_value)
        return seconds


class ChangeAlertRuleSerializer(StrictSerializer):
    threshold = StrictIntegerField(
        low=0, high=10**12, required=False, help_text="From this number on; seconds or percent where the kind says so."
    )
    repeat = _RepeatField(
        low=0,
        high=MAX_ALERT_REPEAT_SECONDS,
        required=False,
        source="repeat_seconds",
        help_text=f"Seconds after which it is said again, {MIN_ALERT_REPEAT_SECONDS} or more; 0: once.",
    )
    paused = StrictBooleanField(required=False, source="is_paused")
    channels = StrictListField(
        child=StrictIntegerField(low=1, high=MAX_ROW_ID),
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


class CreateAlertRuleSerializer(ChangeAlertRuleSerializer):
    what = StrictChoiceField(choices=What.values)
    stream = NameField(allow_null=True, default=None, help_text="Without one: all that the owner may see.")
    group = NameField(allow_null=True, default=None)
    threshold = StrictIntegerField(
        low=0, high=10**12, help_text="From this number on; seconds or percent where the kind says so."
    )
    channels = StrictListField(
        child=StrictIntegerField(low=1, high=MAX_ROW_ID),
        min_length=1,
        max_length=CHANNELS_OF_ONE_RULE,
        source="channel_ids",
        help_text="Ids of alert channels of the same owner, or of a team of the owner's.",
    )
    owner = StrictCharField(max_length=254, required=False, help_text=OWNER_HELP)

    @classmethod
    def beyond_fields(cls) -> dict[str, Any]:
        alike: dict[tuple[Scope, int, int], list[str]] = {}
        for what, kind in KINDS.items():
            alike.setdefault((kind.scope, kind.low, kind.high), []).append(str(what))
        return {
            "oneOf": [
                {
                    "properties": {"what": {"enum": whats}, "threshold": {"minimum": low, "maximum": high}},
                    "allOf": [_ABOUT[scope]],
                }
                for (scope, low, high), whats in alike.items()
            ]
        }


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


@extend_schema_field({"type": "string", "format": "uri", "pattern": URL_PATTERN})
class _UrlField(StrictCharField):
    """An address of the web; whether anything may be sent there is for the service to say, in its words."""


@extend_schema_field({"type": "string", "format": "email"})
class _AddressField(StrictCharField):
    """An e-mail address."""

    def to_internal_value(self, data: Any) -> str:
        address = super().to_internal_value(data)
        serializers.EmailField().run_validation(address)
        return address.strip().lower()


class ChangeAlertChannelSerializer(StrictSerializer):
    name = StrictCharField(max_length=120, required=False)
    url = _UrlField(
        max_length=MAX_URL_CHARACTERS, required=False, help_text="Of a webhook or for Slack; never shown whole again."
    )
    address = _AddressField(max_length=254, required=False, help_text="E-mail address.")

    def validate_name(self, name: str) -> str:
        if not name.isprintable():
            raise serializers.ValidationError("Give letters, digits and signs only.", code="invalid")
        return name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        kind = attrs.get("kind") or self.context.get("kind")
        wanted = _TARGETS[str(kind)]
        for other in set(_TARGETS.values()) & set(attrs) - {wanted}:
            raise serializers.ValidationError({other: [f"A channel of the kind {kind} has none."]}, code="not_possible")
        if "kind" in attrs and wanted not in attrs:
            raise serializers.ValidationError({wanted: ["This field is required."]}, code="required")
        return attrs


class CreateAlertChannelSerializer(ChangeAlertChannelSerializer):
    name = StrictCharField(max_length=120)
    kind = StrictChoiceField(choices=ChannelKind.values)
    owner = StrictCharField(max_length=254, required=False, help_text=OWNER_HELP)

    @classmethod
    def beyond_fields(cls) -> dict[str, Any]:
        every = set(_TARGETS.values())
        return {
            "oneOf": [
                {
                    "required": [wanted],
                    "properties": {"kind": {"enum": [kind for kind, field in _TARGETS.items() if field == wanted]}},
                    "not": {"anyOf": [{"required": [other]} for other in sorted(every - {wanted})]},
                }
                for wanted in sorted(every)
            ]
        }


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
