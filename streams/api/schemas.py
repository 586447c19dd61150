"""How events look in OpenAPI; the views that send and receive them work on bytes."""

from rest_framework import serializers


class EventInSerializer(serializers.Serializer):
    """One event as a producer sends it (or an array of these, at most 1,000)."""

    stream = serializers.CharField(required=False, help_text="Required unless the address names it.")
    payload = serializers.JSONField(help_text="Any JSON value; kept and returned exactly as sent.")
    type = serializers.CharField(required=False, default="event", max_length=128)
    key = serializers.CharField(
        required=False, allow_null=True, help_text="The same key always lands in the same partition."
    )
    id = serializers.CharField(required=False, max_length=128, help_text="Defaults to a new UUIDv7.")
    occurred_at = serializers.DateTimeField(required=False, allow_null=True)
    headers = serializers.DictField(child=serializers.CharField(), required=False)


class AppendedSerializer(serializers.Serializer):
    """Where one event went. An array or NDJSON is answered `{accepted, events: […]}` or `{accepted, ranges: […]}`."""

    id = serializers.CharField()
    stream = serializers.CharField()
    partition = serializers.IntegerField()
    offset = serializers.IntegerField()
    recorded_at = serializers.DateTimeField()
    duplicate = serializers.BooleanField()


class EventSerializer(serializers.Serializer):
    """One event as every consumer reads it."""

    partition = serializers.IntegerField()
    offset = serializers.IntegerField()
    recorded_at = serializers.DateTimeField()
    id = serializers.CharField()
    type = serializers.CharField()
    key = serializers.CharField(allow_null=True)
    occurred_at = serializers.DateTimeField(allow_null=True)
    headers = serializers.DictField(child=serializers.CharField())
    payload = serializers.JSONField()
