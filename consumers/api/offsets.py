"""`/streams/{stream}/consumer-groups/{group}/offsets`: how far, and commit."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.fields import StrictIntegerField, StrictListField, StrictSerializer
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictView
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.queries import get_group, list_progress
from consumers.services.offsets import commit_offsets
from streams.conf import MAX_OFFSET, MAX_PARTITIONS
from streams.errors import PartitionRequired
from streams.lookup import StreamInfo, require_stream


class PartitionOffsetSerializer(StrictSerializer):
    partition = StrictIntegerField(low=0, high=MAX_PARTITIONS - 1)
    offset = StrictIntegerField(low=0, high=MAX_OFFSET)


class CommitSerializer(StrictSerializer):
    """Either `offsets`, or on a stream with one partition just `offset`."""

    offsets = StrictListField(
        child=PartitionOffsetSerializer(), min_length=1, max_length=MAX_PARTITIONS, required=False
    )
    offset = StrictIntegerField(low=0, high=MAX_OFFSET, required=False)

    def validate(self, attrs: Any) -> Any:
        if ("offset" in attrs) == ("offsets" in attrs):
            raise ValidationError({"offsets": [ErrorDetail("Give either `offsets` or `offset`.", code="required")]})
        numbers = [item["partition"] for item in attrs.get("offsets", ())]
        if len(set(numbers)) != len(numbers):
            raise ValidationError({"offsets": [ErrorDetail("Name each partition once.", code="repeated")]})
        return attrs

    def by_partition(self, stream: StreamInfo) -> Mapping[int, int]:
        """Partition number → offset."""
        given = self.validated_data
        if "offsets" in given:
            return {item["partition"]: item["offset"] for item in given["offsets"]}
        if len(stream.partitions) > 1:
            raise PartitionRequired(f"{stream.name} has {len(stream.partitions)} partitions: commit with `offsets`.")
        return {0: given["offset"]}


ProgressSerializer = inline_serializer(
    "Progress",
    {
        "data": inline_serializer(
            "PartitionProgress",
            {
                "partition": serializers.IntegerField(),
                "committed_offset": serializers.IntegerField(),
                "head_offset": serializers.IntegerField(),
                "earliest_offset": serializers.IntegerField(),
                "lag": serializers.IntegerField(),
                "lag_seconds": serializers.FloatField(allow_null=True),
            },
            many=True,
        )
    },
)
CommittedSerializer = inline_serializer(
    "Committed",
    {
        "data": inline_serializer(
            "PartitionCommitted",
            {
                "partition": serializers.IntegerField(),
                "committed_offset": serializers.IntegerField(),
                "status": serializers.ChoiceField(choices=["committed", "outdated"]),
            },
            many=True,
        )
    },
)


@extend_schema(tags=["Reading"])
class OffsetsView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(operation_id="get_offsets", responses={200: ProgressSerializer})
    def get(self, request: Request, stream: str, group: str) -> Response:
        """How far the group has come, partition by partition."""
        found = require_stream(caller_of(request), stream, Right.CONSUME)
        progress = list_progress(found, get_group(found, group))
        return Response(
            {
                "data": [
                    {
                        "partition": each.partition,
                        "committed_offset": each.committed_offset,
                        "head_offset": each.bounds.head_offset,
                        "earliest_offset": each.bounds.earliest_offset,
                        "lag": each.lag,
                        "lag_seconds": each.lag_seconds,
                    }
                    for each in progress
                ]
            }
        )

    @extend_schema(operation_id="commit_offsets", request=CommitSerializer, responses={200: CommittedSerializer})
    @idempotent()
    def post(self, request: Request, stream: str, group: str) -> Response:
        """Record what the group has finished. A lower offset answers `outdated` and changes nothing."""
        found = require_stream(caller_of(request), stream, Right.CONSUME)
        body = CommitSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        results = commit_offsets(stream=found, group=get_group(found, group), offsets=body.by_partition(found))
        return Response(
            {
                "data": [
                    {"partition": each.partition, "committed_offset": each.committed_offset, "status": each.outcome}
                    for each in results
                ]
            }
        )
