"""`GET /streams/{stream}/stats`."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.parameters import known_parameters
from accounts.caller import caller_of
from accounts.permissions import AnyCaller
from observability.queries.stats import get_stream_stats
from streams.lookup import require_stream


class GroupStandingSerializer(serializers.Serializer):
    id = serializers.CharField(source="name")
    mode = serializers.CharField()
    lag = serializers.IntegerField()
    lag_seconds = serializers.FloatField(allow_null=True)
    last_seen_at = serializers.DateTimeField(allow_null=True)


class StatsSerializer(serializers.Serializer):
    event_count = serializers.IntegerField()
    bytes = serializers.IntegerField(source="stored_bytes", help_text="As stored, of the events that are kept.")
    head_offset = serializers.IntegerField(help_text="Of several partitions the sum.")
    earliest_offset = serializers.IntegerField()
    last_event_at = serializers.DateTimeField(allow_null=True)
    consumer_groups = GroupStandingSerializer(many=True, source="groups")


class StatsView(APIView):
    permission_classes = (AnyCaller,)

    @extend_schema(operation_id="stream_stats", tags=["Streams"], responses={200: StatsSerializer})
    def get(self, request: Request, stream: str) -> Response:
        """What the stream holds and how far its consumer groups are behind."""
        known_parameters(request, ())
        found = require_stream(caller_of(request), stream)
        return Response(StatsSerializer(get_stream_stats(found, now=timezone.now())).data)
