"""`POST …/{group}/seek`: move the committed offsets on purpose."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.fields import StrictBooleanField, StrictDateTimeField, StrictIntegerField, StrictSerializer
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictView
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.api.schemas import SeekAnswerSerializer, SeekResultSerializer
from consumers.queries import get_group
from consumers.services.seek import SeekTarget, SeekTo, seek_group, total_affected
from streams.conf import MAX_OFFSET, MAX_PARTITIONS
from streams.lookup import require_stream


class SeekPlaceSerializer(StrictSerializer):
    """Either an offset (the last one to count as finished) or a moment (the first event at or after it comes next)."""

    offset = StrictIntegerField(low=0, high=MAX_OFFSET, required=False)
    timestamp = StrictDateTimeField(required=False)

    def validate(self, attrs: Any) -> Any:
        if len(attrs) != 1:
            raise ValidationError({"": [ErrorDetail("Give either `offset` or `timestamp`.", code="required")]})
        return attrs


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
        place = SeekPlaceSerializer(data=data)
        place.is_valid(raise_exception=True)
        given = place.validated_data
        if "offset" in given:
            return SeekTarget(SeekTo.OFFSET, offset=given["offset"])
        return SeekTarget(SeekTo.TIMESTAMP, timestamp=given["timestamp"])


class SeekSerializer(StrictSerializer):
    to = SeekToField()
    partition = StrictIntegerField(low=0, high=MAX_PARTITIONS - 1, required=False)
    dry_run = StrictBooleanField(default=False)


class SeekView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="seek_group",
        tags=["Consumer groups"],
        request=SeekSerializer,
        responses={200: SeekAnswerSerializer},
    )
    @idempotent()
    def post(self, request: Request, stream: str, group: str) -> Response:
        """Move the committed offset of one partition or of all, back or forth; `dry_run` only says what would happen.

        In lease mode all that is handed out is fenced off: its leases are lost.
        """
        found = require_stream(caller_of(request), stream, Right.CONSUME)
        body = SeekSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        results = seek_group(
            stream=found,
            group=get_group(found, group),
            target=wanted["to"],
            partition=wanted.get("partition"),
            is_dry_run=wanted["dry_run"],
        )
        told = SeekResultSerializer(results, many=True).data
        answer: dict[str, Any] = {
            "dry_run": wanted["dry_run"],
            "events_affected": total_affected(results),
            "data": told,
        }
        # Where only one partition is moved, what became of it stands at the top as well.
        return Response(answer | dict(told[0]) if len(told) == 1 else answer)
