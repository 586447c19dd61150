"""What may be asked for of streams, whichever door it comes by: the API's bodies and the dashboard's forms."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from drf_spectacular.utils import extend_schema_field
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
from streams.conf import (
    MAX_ALIAS_CHARACTERS,
    MAX_CHECKED_EVENTS,
    MAX_DEDUPLICATION_SECONDS,
    MAX_DESCRIPTION_CHARACTERS,
    MAX_OFFSET,
    MAX_PARTITIONS,
    MAX_RETENTION_AGE_SECONDS,
    MAX_TOPIC_CHARACTERS,
)
from streams.envelope import TYPE_PATTERN, TYPE_RULE, is_type
from streams.labels import MAX_LABEL_CHARACTERS, MAX_LABELS, explain_labels
from streams.models import Validation, Visibility
from streams.schemas.compatibility import Compatibility
from streams.services.adoption import TOPIC_PATTERN, is_topic
from streams.services.lifecycle import StreamSettings
from streams.services.mirrors import MirrorSettings


class RetentionSerializer(StrictSerializer):
    """Limits after which the oldest events go, whichever is reached first; null: no limit."""

    max_age = StrictIntegerField(low=1, high=MAX_RETENTION_AGE_SECONDS, allow_null=True, default=None)
    max_bytes = StrictIntegerField(low=1, high=MAX_OFFSET, allow_null=True, default=None)
    max_events = StrictIntegerField(low=1, high=MAX_OFFSET, allow_null=True, default=None)


class ChangeStreamSerializer(StrictSerializer):
    partitions = StrictIntegerField(
        low=1,
        high=MAX_PARTITIONS,
        required=False,
        help_text="More than there are: partitions are added, never taken away.",
    )
    description = StrictCharField(max_length=MAX_DESCRIPTION_CHARACTERS, allow_blank=True, required=False)
    visibility = StrictChoiceField(choices=Visibility.values, required=False)
    retention = RetentionSerializer(required=False)
    paused = StrictBooleanField(required=False)
    validation = StrictChoiceField(
        choices=Validation.values,
        required=False,
        help_text="What becomes of payloads that do not fit the schema of their type: marked, or refused.",
    )
    deduplicate_ids = StrictIntegerField(
        low=1,
        high=MAX_DEDUPLICATION_SECONDS,
        allow_null=True,
        required=False,
        help_text="For so many seconds an event is not stored whose id the stream has had; null: each is.",
    )
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
        if "deduplicate_ids" in given:
            given["deduplicate_ids_seconds"] = given.pop("deduplicate_ids")
        return given


MANAGED, EXTERNAL = "eventflow", "external"


@extend_schema_field({"type": "string", "pattern": rf"^(?!__)(?!\.{{1,2}}$){TOPIC_PATTERN}$"})
class TopicField(StrictCharField):
    """The name of a topic that others made."""

    default_error_messages = {
        "invalid_topic": f"1 to {MAX_TOPIC_CHARACTERS} of A-Z a-z 0-9 . _ -, and not one of the engine's own (`__…`)."
    }

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not is_topic(text):
            self.fail("invalid_topic")
        return text


class CreateStreamSerializer(ChangeStreamSerializer):
    name = NameField()
    partitions = StrictIntegerField(
        low=1, high=MAX_PARTITIONS, required=False, help_text="1, or as many as an adopted topic has."
    )
    engine = StrictCharField(
        max_length=MAX_ALIAS_CHARACTERS,
        required=False,
        help_text="Where its events will lie: `postgres`, or the alias of another engine of this installation.",
    )
    allow_weak = StrictBooleanField(
        required=False,
        help_text="Also in an engine that could lose what it has stored, with fewer than two replicas in sync.",
    )
    manage = StrictChoiceField(
        choices=[MANAGED, EXTERNAL],
        default=MANAGED,
        help_text="`external`: show a `topic` that is there already, which others write, and which is never altered, "
        "trimmed or deleted from here. Only an admin can.",
    )
    topic = TopicField(
        max_length=MAX_TOPIC_CHARACTERS,
        required=False,
        help_text="Of `manage: external`: the topic's name in that engine.",
    )
    read_only = StrictBooleanField(  # type: ignore[assignment]
        required=False, help_text="Of `manage: external`: appends are refused, and the engine may be weak."
    )

    def validate(self, fields: dict[str, Any]) -> dict[str, Any]:
        if fields["manage"] == EXTERNAL:
            for name in ("engine", "topic"):
                if name not in fields:
                    raise serializers.ValidationError({name: "`manage: external` needs it."}, code="required")
        else:
            for name in ("topic", "read_only"):
                if name in fields:
                    raise serializers.ValidationError({name: "Only `manage: external` has it."}, code="invalid")
        return fields

    @classmethod
    def beyond_fields(cls) -> dict[str, Any]:
        adopts = {"properties": {"manage": {"enum": [EXTERNAL]}}, "required": ["manage", "engine", "topic"]}
        makes = {
            "properties": {"manage": {"enum": [MANAGED]}},
            "not": {"anyOf": [{"required": ["topic"]}, {"required": ["read_only"]}]},
        }
        return {"oneOf": [adopts, makes]}

    def settings(self) -> dict[str, Any]:
        """What was given, as fields of the model."""
        given = super().settings()
        del given["manage"]
        if "topic" in given:
            # Nothing of it is deleted from here, whatever the installation's usual retention is.
            given = {"retention_max_age_seconds": None, **given, "adopted_topic": given["topic"]}
            del given["topic"]
        if "read_only" in given:
            given["is_read_only"] = given.pop("read_only")
        return given


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
    if "partitions" in settings:
        settings["partition_count"] = settings.pop("partitions")
    owner = settings.pop("owner", None)
    return settings, owner


class MoveStreamSerializer(StrictSerializer):
    to = StrictCharField(
        max_length=MAX_ALIAS_CHARACTERS,
        help_text="Where its events are to go: `postgres`, or the alias of another engine of this installation.",
    )
    allow_weak = StrictBooleanField(
        default=False,
        help_text="Also to an engine that could lose what it has stored, with fewer than two replicas in sync.",
    )
    dry_run = StrictBooleanField(default=False, help_text="Only say what would change and what stands in the way.")


class WantedMove(NamedTuple):
    """A move that somebody asks for, or asks about."""

    to: str
    allow_weak: bool
    dry_run: bool


def read_move(given: Any) -> WantedMove:
    """Return the move that a body or a form describes.

    Raises:
        ValidationError
    """
    return WantedMove(**MoveStreamSerializer.checked(given).validated_data)


@extend_schema_field({"type": "string", "pattern": f"^{TYPE_PATTERN}$"})
class TypeField(StrictCharField):
    """A type of events: by the same rule as in an event."""

    default_error_messages = {"invalid_type": TYPE_RULE}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not is_type(text):
            self.fail("invalid_type")
        return text


@extend_schema_field({"description": "JSON Schema 2020-12.", "oneOf": [{"type": "object"}, {"type": "boolean"}]})
class _DocumentField(serializers.JSONField):
    """A schema; whether it may be one is for the service to say, in its words."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class RegisterSchemaSerializer(StrictSerializer):
    type = TypeField()
    schema = _DocumentField()
    compatibility = StrictChoiceField(
        choices=[each.value for each in Compatibility],
        required=False,
        help_text="What is kept of the version before; as that one's if nothing is said, `forward` for the first.",
    )


class _TrySerializer(StrictSerializer):
    type = TypeField()
    last = StrictIntegerField(
        low=1,
        high=MAX_CHECKED_EVENTS,
        default=MAX_CHECKED_EVENTS,
        help_text="So many of the newest events are looked at.",
    )


class CheckSchemaSerializer(_TrySerializer):
    schema = _DocumentField(required=False, help_text="Left out: the latest version.")
    compatibility = StrictChoiceField(choices=[each.value for each in Compatibility], required=False)


class InferSchemaSerializer(_TrySerializer):
    """Of which events a schema is to be inferred."""


class GrantStreamSerializer(GrantSerializer):
    rights = StrictListField(
        child=StrictChoiceField(choices=[right.value for right in Right]), min_length=1, max_length=3
    )


class CreateMirrorSerializer(StrictSerializer):
    engine = StrictCharField(max_length=MAX_ALIAS_CHARACTERS, help_text="The alias of an engine that has topics.")
    topic = StrictCharField(
        max_length=MAX_TOPIC_CHARACTERS,
        required=False,
        help_text="The engine's prefix and the stream's name, unless an admin names another one.",
    )
    allow_weak = StrictBooleanField(
        required=False,
        help_text="Also in an engine that could lose what it has stored, with fewer than two replicas in sync.",
    )

    def get_fields(self) -> dict[str, Any]:
        # `from` is no name that a class can have.
        start = StrictChoiceField(
            choices=["beginning", "now"],
            default="beginning",
            help_text="What is kept and what comes, or only what comes from now on.",
        )
        return {**super().get_fields(), "from": start}


def read_new_mirror(given: Any) -> MirrorSettings:
    """Return the mirror that a body describes.

    Raises:
        ValidationError
    """
    fields = CreateMirrorSerializer.checked(given).validated_data
    return MirrorSettings(
        engine=fields["engine"],
        topic=fields.get("topic"),
        from_beginning=fields["from"] == "beginning",
        allow_weak=fields.get("allow_weak", False),
    )


class ChangeMirrorSerializer(StrictSerializer):
    paused = StrictBooleanField(required=False)


def read_stream_grant(given: Any) -> tuple[dict[str, str | None], list[Right]]:
    """Return whom a body names, as arguments of `find_grantee`, and the rights to give them.

    Raises:
        ValidationError
    """
    fields = GrantStreamSerializer.checked(given).validated_data
    return {"user": fields.get("user"), "team": fields.get("team")}, [Right(right) for right in fields["rights"]]
