"""How leases, deliveries and dead letters look in OpenAPI; the hot views send bytes."""

import msgspec
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from consumers.states import PRESENT_STATES, BulkStatus, DeadLetterStatus, ExhaustedReason, Outcome, RedriveOutcome
from streams.api.schemas import EventSerializer

LOST = OpenApiParameter(
    "EventFlow-Lost",
    {"type": "string", "pattern": "^[1-9][0-9]*$"},
    OpenApiParameter.HEADER,
    response=[200],
    description="How many events retention took from the group since somebody acknowledged it; not there if none.",
)


class LeasedDeliverySerializer(serializers.Serializer):
    """A range of events that is yours until `expires_at`."""

    delivery_id = serializers.IntegerField()
    lease_token = serializers.UUIDField()
    partition = serializers.IntegerField()
    first_offset = serializers.IntegerField()
    last_offset = serializers.IntegerField()
    delivery_count = serializers.IntegerField(help_text="How often it was handed out, this time included.")
    failure_count = serializers.IntegerField()
    round = serializers.IntegerField(help_text="0, or higher for what is sent again.")
    dead_letter_id = serializers.IntegerField(allow_null=True, help_text="Of which dead letter this is a redrive.")
    expires_at = serializers.DateTimeField()
    events = EventSerializer(many=True)


class GapSerializer(serializers.Serializer):
    """Offsets that retention took before the group was given them."""

    partition = serializers.IntegerField()
    first_offset = serializers.IntegerField()
    last_offset = serializers.IntegerField()


class LeasedSerializer(serializers.Serializer):
    deliveries = LeasedDeliverySerializer(many=True)
    gaps = GapSerializer(many=True)
    isolating = serializers.BooleanField(help_text="Whether the group has events that a consumer may have died of.")
    suspected = serializers.IntegerField(
        help_text="How many such events are not finished, this answer included; of very many not all count."
    )


class DeliveryResultSerializer(serializers.Serializer):
    delivery_id = serializers.IntegerField()
    result = serializers.ChoiceField(choices=["acked", "nacked", "extended", "released", "lease_lost"])
    repeated = serializers.BooleanField(help_text="The same verb had ended this lease before; nothing was changed now.")
    expires_at = serializers.DateTimeField(allow_null=True)


DeliveryResultsSerializer = inline_serializer("DeliveryResults", {"data": DeliveryResultSerializer(many=True)})


class DeliverySerializer(serializers.Serializer):
    """A delivery that is not finished. The token is its holder's alone."""

    delivery_id = serializers.IntegerField(source="pk")
    partition = serializers.IntegerField(source="partition.number")
    first_offset = serializers.IntegerField()
    last_offset = serializers.IntegerField()
    state = serializers.ChoiceField(choices=PRESENT_STATES, source="present_state")
    delivery_count = serializers.IntegerField()
    failure_count = serializers.IntegerField()
    round = serializers.IntegerField()
    dead_letter_id = serializers.IntegerField(allow_null=True)
    leased_by = serializers.CharField()
    leased_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(source="lease_expires_at", allow_null=True)
    available_at = serializers.DateTimeField(
        allow_null=True, help_text="When it may be handed out; of what is `scheduled`, when its events are due."
    )
    event_expires_at = serializers.DateTimeField(
        allow_null=True, help_text="From then on its events are not handed out any more; null: they always are."
    )
    exhausted_reason = serializers.CharField()
    last_error = serializers.CharField()
    last_failed_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class DeadLetterSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    stream = serializers.CharField(source="group.stream.name")
    group = serializers.CharField(source="group.name")
    partition = serializers.IntegerField(source="partition.number")
    offset = serializers.IntegerField()
    round = serializers.IntegerField()
    status = serializers.ChoiceField(choices=[status.value for status in DeadLetterStatus])
    reason = serializers.ChoiceField(choices=[reason.value for reason in ExhaustedReason])
    event_id = serializers.CharField()
    event_type = serializers.CharField()
    event_key = serializers.CharField()
    delivery_count = serializers.IntegerField()
    failure_count = serializers.IntegerField()
    last_error = serializers.CharField()
    error_fingerprint = serializers.CharField(help_text="Equal for errors that differ only in numbers and ids.")
    reported_by = serializers.CharField()
    reported_copy = serializers.BooleanField(
        source="is_reported_copy",
        help_text="Retention had taken the event: it is the copy that whoever reported it sent.",
    )
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField()
    note = serializers.CharField()


class AttemptSerializer(serializers.Serializer):
    number = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in Outcome])
    consumer = serializers.CharField()
    leased_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField()
    error = serializers.CharField()


class RedriveSerializer(serializers.Serializer):
    round = serializers.IntegerField()
    requested_by = serializers.CharField()
    requested_at = serializers.DateTimeField()
    note = serializers.CharField()
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in RedriveOutcome])
    ended_at = serializers.DateTimeField(allow_null=True)
    edited = serializers.SerializerMethodField()
    difference = serializers.SerializerMethodField()

    def get_edited(self, redrive: object) -> bool:
        return getattr(redrive, "edited_event", None) is not None

    def get_difference(self, redrive: object) -> list[dict[str, str | None]]:
        return msgspec.json.decode(getattr(redrive, "difference", "") or "[]")


class DeadLetterDetailSerializer(DeadLetterSerializer):
    """With the event exactly as consumers were given it; null if retention took it before it could be copied."""

    event = EventSerializer(allow_null=True)
    attempts = AttemptSerializer(many=True)
    redrives = RedriveSerializer(many=True)


class SeekResultSerializer(serializers.Serializer):
    partition = serializers.IntegerField()
    events_affected = serializers.IntegerField(help_text="Kept events that are read again, or never.")
    deliveries_fenced = serializers.IntegerField(help_text="What was handed out and ends here: its leases are lost.")
    dead_letters_resolved = serializers.IntegerField(help_text="Of events that are handed out again.")

    def get_fields(self) -> dict[str, serializers.Field]:
        """`from` is a word of Python's."""
        fields = super().get_fields()
        fields["from"] = serializers.IntegerField(source="from_offset")
        fields["to"] = serializers.IntegerField(source="to_offset")
        return fields


class BulkPreviewSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    is_exact = serializers.BooleanField(
        help_text="false: of those that have the text only the newest were counted, and there may be more."
    )
    first_id = serializers.IntegerField(allow_null=True)
    last_id = serializers.IntegerField(allow_null=True)
    first_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)


class BulkActionSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    filter = serializers.DictField()
    note = serializers.CharField()
    requested_by = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in BulkStatus])
    per_second = serializers.IntegerField(allow_null=True)
    total_count = serializers.IntegerField(help_text="As counted when it was asked for.")
    is_total_exact = serializers.BooleanField(help_text="false: there may be more; see `is_exact` of the dry run.")
    done_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    cancelled_at = serializers.DateTimeField(allow_null=True)
    cancelled_by = serializers.CharField()


class HistorySerializer(serializers.Serializer):
    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in Outcome])
    round = serializers.IntegerField()
    first_offset = serializers.IntegerField()
    last_offset = serializers.IntegerField()
    delivery_count = serializers.IntegerField()
    failure_count = serializers.IntegerField()
    consumer = serializers.CharField()
    leased_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField()
    error = serializers.CharField()


class TimelineDeliverySerializer(serializers.Serializer):
    delivery_id = serializers.IntegerField(source="id")
    first_offset = serializers.IntegerField()
    last_offset = serializers.IntegerField()
    state = serializers.CharField()
    round = serializers.IntegerField()
    delivery_count = serializers.IntegerField()
    failure_count = serializers.IntegerField()
    leased_by = serializers.CharField()
    leased_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(source="lease_expires_at", allow_null=True)
    available_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField()


class TimelineDeadLetterSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    round = serializers.IntegerField()
    status = serializers.CharField()
    reason = serializers.CharField()
    last_error = serializers.CharField()
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    redrives = RedriveSerializer(many=True)


class GroupTimelineSerializer(serializers.Serializer):
    group = serializers.CharField(source="group.name")
    mode = serializers.CharField(source="group.mode")
    state = serializers.CharField()
    delivery = TimelineDeliverySerializer(allow_null=True)
    history = HistorySerializer(many=True)
    dead_letters = TimelineDeadLetterSerializer(many=True)


class TimelineSerializer(serializers.Serializer):
    partition = serializers.IntegerField()
    offset = serializers.IntegerField()
    is_kept = serializers.BooleanField(help_text="false: retention took it.")
    groups = GroupTimelineSerializer(many=True)


SeekAnswerSerializer = inline_serializer(
    "SeekAnswer",
    {
        "dry_run": serializers.BooleanField(),
        "events_affected": serializers.IntegerField(),
        "data": SeekResultSerializer(many=True),
    },
)
