"""How events look in OpenAPI, whose views work on bytes; and what a change of retention would delete."""

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from accounts.names import NAME_PATTERN
from streams.conf import (
    MAX_DELAY_SECONDS,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_ID_CHARACTERS,
    MAX_KEY_BYTES,
    MAX_LIFETIME_SECONDS,
    MIN_SPAN_SECONDS,
)
from streams.envelope import TYPE_PATTERN


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_HEADERS,
        "additionalProperties": {"type": "string", "maxLength": MAX_HEADER_BYTES},
        "description": f"Names and values, at most {MAX_HEADER_BYTES} bytes each pair.",
        "nullable": True,
    }
)
class HeadersField(serializers.DictField):
    """Text by name, as a producer sends it."""


_SECONDS = {"type": "number", "minimum": MIN_SPAN_SECONDS}


@extend_schema_field(
    {
        "oneOf": [{"type": "string", "format": "date-time"}, {**_SECONDS, "maximum": MAX_DELAY_SECONDS}],
        "description": "Lease mode hands the event out from then on: a time with its zone, at most "
        f"{MAX_DELAY_SECONDS // 86_400} days ahead, or seconds from when it is recorded.",
        "nullable": True,
    }
)
class DelayField(serializers.JSONField):
    """A time, or seconds."""


@extend_schema_field(
    {
        **_SECONDS,
        "maximum": MAX_LIFETIME_SECONDS,
        "description": "So many seconds after it is recorded, lease mode does not hand the event out any more. More "
        "than the seconds of `deliver_after`.",
        "nullable": True,
    }
)
class LifetimeField(serializers.FloatField):
    """Seconds."""


class EventInStreamSerializer(serializers.Serializer):
    """One event as a producer sends it to the address of its stream."""

    stream = serializers.RegexField(NAME_PATTERN, required=False, help_text="If it is there: that of the address.")
    payload = serializers.JSONField(help_text="Any JSON value; kept and returned exactly as sent.")
    type = serializers.RegexField(f"^{TYPE_PATTERN}$", required=False, default="event")
    key = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=MAX_KEY_BYTES,
        help_text=f"The same key, the same partition, until some are added. At most {MAX_KEY_BYTES} bytes in UTF-8.",
    )
    id = serializers.CharField(
        required=False, max_length=MAX_ID_CHARACTERS, help_text="Printable. Defaults to a new UUIDv7."
    )
    occurred_at = serializers.DateTimeField(required=False, allow_null=True)
    deliver_after = DelayField(required=False, allow_null=True)
    expires_after = LifetimeField(required=False, allow_null=True)
    headers = HeadersField(required=False)


class EventInSerializer(EventInStreamSerializer):
    """One event as a producer sends it."""

    stream = serializers.RegexField(NAME_PATTERN)


class AppendedSerializer(serializers.Serializer):
    """Where one event went."""

    id = serializers.CharField()
    stream = serializers.CharField()
    partition = serializers.IntegerField()
    offset = serializers.IntegerField()
    recorded_at = serializers.DateTimeField()
    duplicate = serializers.BooleanField(
        help_text="The stream has had its id: nothing was stored, and this is where the event with it is."
    )


class AppendedBatchSerializer(serializers.Serializer):
    """Where each event of an array or of NDJSON went, in the order of the request."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField(required=False, help_text="How many of them were there before; absent: none.")
    events = AppendedSerializer(many=True)


class AppendedRangeSerializer(serializers.Serializer):
    stream = serializers.CharField()
    partition = serializers.IntegerField()
    first_offset = serializers.IntegerField()
    last_offset = serializers.IntegerField()


class AppendedRangesSerializer(serializers.Serializer):
    """The same with `Prefer: return=minimal`: only which offsets were given."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField(required=False, help_text="How many of them were there before; absent: none.")
    ranges = AppendedRangeSerializer(many=True)


class PartitionLossSerializer(serializers.Serializer):
    partition = serializers.IntegerField(source="partition.number")
    events_affected = serializers.IntegerField(source="event_count")
    first_offset = serializers.IntegerField(help_text="Of those that would go, both ends included.")
    last_offset = serializers.IntegerField()
    oldest_kept = serializers.DateTimeField(source="kept_since", allow_null=True)


class GroupLossSerializer(serializers.Serializer):
    name = serializers.CharField()
    lost = serializers.IntegerField(source="event_count", help_text="Events among them that it has not finished.")


class RetentionLossSerializer(serializers.Serializer):
    """What a change of retention would delete that is kept as it is now. Nothing was changed."""

    events_affected = serializers.IntegerField(
        source="event_count", help_text="In whole batches, as retention takes them."
    )
    at_least = serializers.BooleanField(source="is_at_least", help_text="More would go: too many batches to weigh.")
    oldest_kept = serializers.DateTimeField(
        source="kept_since",
        allow_null=True,
        help_text="When the first event that stays was recorded; null if none does.",
    )
    partitions = PartitionLossSerializer(many=True, help_text="Those that lose events.")
    groups = GroupLossSerializer(many=True, help_text="Those that lose events, the one that loses most first.")


class PartitionGrowthSerializer(serializers.Serializer):
    """What more partitions would change. Events that are stored stay where they are."""

    before = serializers.IntegerField(help_text="Partitions that there are.")
    after = serializers.IntegerField(help_text="Partitions that there would be.")
    moving_share = serializers.FloatField(
        help_text="Which part of all keys would go to another partition, 0 to 1: their new events are in no order with "
        "those that are stored."
    )
    has_events = serializers.BooleanField(
        help_text="Something was appended before, so that keys move that have been somewhere: `confirm` is asked for."
    )
    groups = serializers.ListField(
        child=serializers.CharField(), help_text="Each would begin the new partitions at their first event."
    )
    explanation = serializers.CharField(help_text="The same in words.")


class StreamForecastSerializer(RetentionLossSerializer):
    """What a change would do at once: what retention deletes, what more partitions change. Nothing was changed."""

    growth = PartitionGrowthSerializer(required=False, help_text="There only if partitions would be added.")


EVENTS_IN, EVENTS_IN_STREAM = (
    PolymorphicProxySerializer(
        component_name=name, serializers=[one, one(many=True)], resource_type_field_name=None, many=False
    )
    for name, one in (("EventsIn", EventInSerializer), ("EventsInStream", EventInStreamSerializer))
)
APPENDED = PolymorphicProxySerializer(
    component_name="AppendedAnswer",
    serializers=[AppendedSerializer, AppendedBatchSerializer, AppendedRangesSerializer],
    resource_type_field_name=None,
)


class EditSerializer(serializers.Serializer):
    """Who replaced an event's payload, and when."""

    by = serializers.CharField(help_text="`user:…` or `key:…`")
    at = serializers.DateTimeField()
    original_payload_sha256 = serializers.CharField(help_text="Of the first payload's bytes, in hexadecimal.")


class SchemaMarkSerializer(serializers.Serializer):
    """That the payload is not as this version of its type's schema says; it was stored all the same."""

    version = serializers.IntegerField()
    valid = serializers.BooleanField()


class ErasureSerializer(serializers.Serializer):
    """When an event's payload and headers were erased, for good."""

    at = serializers.DateTimeField()
    bytes = serializers.IntegerField(
        required=False, help_text="What its record took before. Missing if it was imported when it was erased already."
    )


@extend_schema_field(
    {
        "oneOf": [{"type": "string", "format": "date-time"}, {"type": "number"}],
        "description": "When lease mode hands it out: a time, or seconds after `recorded_at`; absent: at once.",
    }
)
class DelayReadField(serializers.JSONField):
    """A time, or seconds, as they were given."""


class EventSerializer(serializers.Serializer):
    """One event as every consumer reads it."""

    partition = serializers.IntegerField()
    offset = serializers.IntegerField()
    recorded_at = serializers.DateTimeField()
    id = serializers.CharField()
    type = serializers.CharField()
    key = serializers.CharField(allow_null=True)
    occurred_at = serializers.DateTimeField(allow_null=True)
    deliver_after = DelayReadField(required=False)
    expires_after = serializers.FloatField(
        required=False, help_text="So many seconds after `recorded_at` lease mode hands it out no more; absent: always."
    )
    headers = serializers.DictField(child=serializers.CharField())
    payload = serializers.JSONField()
    schema = SchemaMarkSerializer(
        required=False, help_text="There only if the payload does not fit the schema of its type."
    )
    edited = EditSerializer(required=False, help_text="There only if a redrive sends it with another payload.")
    erased = ErasureSerializer(
        required=False, help_text="There only if its payload was erased, which is null then, and its headers empty."
    )
