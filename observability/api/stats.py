"""`GET /streams/{stream}/stats`."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.views import StrictView
from accounts.permissions import AnyCaller
from observability.numbers.stats import StreamStats, get_stream_stats
from observability.numbers.window import window_parameter
from streams.lookup import require_stream


class GroupStandingSerializer(serializers.Serializer):
    id = serializers.CharField(source="name")
    mode = serializers.CharField()
    lag = serializers.IntegerField(help_text="Events that are still there and not finished.")
    lag_seconds = serializers.FloatField(allow_null=True, help_text="Age of the first unfinished event.")
    in_flight = serializers.IntegerField(help_text="Events that a member holds a lease on.")
    waiting = serializers.IntegerField(help_text="Events given back or expired, to be leased again.")
    dead_letters = serializers.IntegerField(help_text="Open ones.")
    missing = serializers.IntegerField(help_text="Events that retention took, and the group has not passed yet.")
    lost = serializers.IntegerField(
        help_text="Events that retention took before the group had finished them, since somebody acknowledged it."
    )
    lost_total = serializers.IntegerField(help_text="The same since the group began: what to acknowledge.")
    last_seen_at = serializers.DateTimeField(allow_null=True)
    retention_risk_seconds = serializers.FloatField(
        allow_null=True, help_text="Until retention takes an unfinished event, at the present rate; null: it will not."
    )
    catch_up_seconds = serializers.FloatField(
        allow_null=True, help_text="Until the lag is zero, at the rates of the last minutes; null: never."
    )


class TypeCountSerializer(serializers.Serializer):
    type = serializers.CharField(help_text="Empty: all rare types together.")
    events = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="Their JSON, uncompressed.")


class PointSerializer(serializers.Serializer):
    minute = serializers.DateTimeField(help_text="Its beginning; of an hour if the window is longer than a day.")
    events = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="Their JSON, uncompressed.")


class StatsSerializer(serializers.Serializer):
    event_count = serializers.IntegerField(help_text="Events that are kept.")
    stored_bytes = serializers.IntegerField(help_text="Their size as stored, compressed.")
    head_offset = serializers.IntegerField(help_text="Of several partitions the sum.")
    earliest_offset = serializers.IntegerField(help_text="Of several partitions the lowest.")
    rate_per_second = serializers.FloatField(help_text="Events appended, over the last minute or two.")
    last_event_at = serializers.DateTimeField(allow_null=True)
    types = TypeCountSerializer(many=True, help_text="Of the window, the most frequent first.")
    consumer_groups = GroupStandingSerializer(many=True)
    series = PointSerializer(many=True, help_text="Of the window, with what is not rolled up yet.")
    not_rolled_up = serializers.IntegerField(help_text="Events that `types` does not know yet.")
    rolled_up_until = serializers.DateTimeField(allow_null=True)


class StatsView(StrictView):
    permission_classes = (AnyCaller,)
    query_parameters = {"get": ("window",)}

    @extend_schema(
        operation_id="stream_stats",
        tags=["Streams"],
        parameters=[
            OpenApiParameter(
                "window",
                {"type": "string", "pattern": "^[1-9][0-9]{0,4}[mhd]$", "default": "1h"},
                description="How far back: minutes, hours or days, 1m to 30d.",
            ),
        ],
        responses={200: StatsSerializer},
    )
    def get(self, request: Request, stream: str) -> Response:
        """What the stream holds and gains, and how far its consumer groups are behind."""
        window = window_parameter(self.query)
        found = require_stream(caller_of(request), stream)
        return Response(represent(get_stream_stats(found, window_seconds=window, now=timezone.now())))


def represent(stats: StreamStats) -> dict[str, Any]:
    """Return what StatsSerializer describes; a serializer would take longer than all queries."""
    holding = stats.holding
    return {
        "event_count": holding.totals.event_count,
        "stored_bytes": holding.stored_bytes,
        "head_offset": holding.totals.head_offset,
        "earliest_offset": holding.totals.earliest_offset,
        "rate_per_second": round(holding.rate_per_second, 3),
        "last_event_at": holding.totals.last_event_at,
        "types": [{"type": each.type, "events": each.events, "bytes": each.bytes} for each in stats.types],
        "consumer_groups": [
            {
                "id": standing.name,
                "mode": standing.mode,
                "lag": standing.lag,
                "lag_seconds": standing.lag_seconds,
                "in_flight": standing.in_flight,
                "waiting": standing.waiting,
                "dead_letters": standing.dead_letters,
                "missing": standing.missing,
                "lost": standing.lost,
                "lost_total": standing.lost_total,
                "last_seen_at": standing.last_seen_at,
                "retention_risk_seconds": outlook.retention_risk_seconds,
                "catch_up_seconds": outlook.catch_up_seconds,
            }
            for standing, outlook in stats.groups
        ],
        "series": [{"minute": each.start, "events": each.events, "bytes": each.bytes} for each in stats.series],
        "not_rolled_up": holding.not_rolled_up,
        "rolled_up_until": holding.rolled_up_until,
    }
