"""`/streams/{stream}/consumer-groups/{group}/offsets`: how far, and commit."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.caller import Caller, caller_of
from accounts.conf import MAX_BODY_BYTES
from accounts.database_threads import in_database_thread
from accounts.http.bodies import JSON, read_body_async
from accounts.http.fields import StrictIntegerField, StrictListField, StrictSerializer
from accounts.http.idempotent import IDEMPOTENCY, act_once, idempotency_key_of
from accounts.http.lean import LeanView
from accounts.http.lean_response import LeanResponse
from accounts.http.renderers import JSONRenderer
from accounts.http.strict_json import decode_object
from accounts.permissions import MayConsume
from accounts.roles import Right
from accounts.waits import run_blocking
from consumers.api.standing import require_group_in_use
from consumers.progress_queries import list_progress
from consumers.queries import get_group
from consumers.services.offsets import commit_offsets_async
from streams.conf import MAX_OFFSET, MAX_PARTITIONS
from streams.errors import PartitionRequired
from streams.lookup import StreamInfo, require_stream, require_stream_async


class PartitionOffsetSerializer(StrictSerializer):
    partition = StrictIntegerField(low=0, high=MAX_PARTITIONS - 1)
    offset = StrictIntegerField(low=0, high=MAX_OFFSET)


class CommitSerializer(StrictSerializer):
    """Either `offsets`, or on a stream with one partition just `offset`."""

    offsets = StrictListField(
        child=PartitionOffsetSerializer(), min_length=1, max_length=MAX_PARTITIONS, required=False
    )
    offset = StrictIntegerField(low=0, high=MAX_OFFSET, required=False)

    either = ("offsets", "offset")

    def validate(self, attrs: Any) -> Any:
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
                "lost": serializers.IntegerField(),
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
class OffsetsView(LeanView):
    permission_classes = (MayConsume,)

    @extend_schema(operation_id="get_offsets", responses={200: ProgressSerializer})
    async def get(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        """How far the group has come, partition by partition."""
        found = await require_stream_async(caller_of(request), stream, Right.CONSUME)
        progress = await in_database_thread(lambda: list_progress(get_group(found, group), now=timezone.now()))
        return _answer(
            [
                {
                    "partition": each.partition.number,
                    "committed_offset": each.committed_offset,
                    "head_offset": each.bounds.head_offset,
                    "earliest_offset": each.bounds.earliest_offset,
                    "lag": each.lag,
                    "lag_seconds": each.lag_seconds,
                    "lost": each.lost,
                }
                for each in progress
            ]
        )

    @extend_schema(
        operation_id="commit_offsets",
        request=CommitSerializer,
        parameters=[*IDEMPOTENCY],
        responses={200: CommittedSerializer},
    )
    async def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        """Record what the group has finished. A lower offset answers `outdated` and changes nothing."""
        key = idempotency_key_of(request)
        _, body = await read_body_async(request, limit=MAX_BODY_BYTES)
        caller = await self.admit_after_body(request)
        document = decode_object(body)
        if key is None:
            found = await require_stream_async(caller, stream, Right.CONSUME)
            return await _commit(caller, found, group, document)

        def commit() -> tuple[HttpResponse, bytes]:
            # In the transaction of the key: a retry is answered as the first was, whatever has changed since.
            response = run_blocking(_commit(caller, require_stream(caller, stream, Right.CONSUME), group, document))
            return response, response.content

        return await in_database_thread(lambda: act_once(request, key=key, document=document, act=commit))


async def _commit(caller: Caller, stream: StreamInfo, group: str, document: Any) -> HttpResponse:
    body = CommitSerializer.checked(document)
    used = await require_group_in_use(caller, stream, group)
    results = await commit_offsets_async(stream=stream, group=used, offsets=body.by_partition(stream))
    return _answer(
        [
            {"partition": each.partition, "committed_offset": each.committed_offset, "status": each.outcome}
            for each in results
        ]
    )


def _answer(items: list[dict[str, Any]]) -> HttpResponse:
    return LeanResponse(JSONRenderer().render({"data": items}), content_type=JSON)
