"""`GET /streams/{stream}/stats`, and `/stats` of one of its consumer groups."""

from dataclasses import asdict
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.views import StrictView
from accounts.permissions import AnyCaller, MayConsume
from accounts.roles import Right
from observability.numbers.outlook import GroupNumbers
from observability.numbers.ranges import range_parameters
from observability.numbers.stats import StreamStats, get_group_stats, get_stream_stats
from observability.numbers.window import window_parameter
from streams.lookup import require_stream


class GroupStandingSerializer(serializers.Serializer):
    id = serializers.CharField(source="name")
    mode = serializers.CharField()
    lag = serializers.IntegerField(help_text="Events that are still there and not finished.")
    lag_seconds = serializers.FloatField(
        allow_null=True, help_text="Age of the first unfinished event; what is for later counts from when it was due."
    )
    in_flight = serializers.IntegerField(help_text="Events that a member holds a lease on.")
    waiting = serializers.IntegerField(help_text="Events given back or expired, to be leased again.")
    isolating = serializers.BooleanField(help_text="Whether some of these are events that a consumer may have died of.")
    suspected = serializers.IntegerField(help_text="How many of them are.")
    held_up = serializers.IntegerField(help_text="Events that another one of their key holds up.")
    scheduled = serializers.IntegerField(
        help_text="Events that are for later, as far as the group has come; part of the lag. Of very many, the first."
    )
    next_scheduled_at = serializers.DateTimeField(allow_null=True, help_text="When the first of them is due.")
    dead_letters = serializers.IntegerField(help_text="Open ones.")
    missing = serializers.IntegerField(help_text="Events that retention took, and the group has not passed yet.")
    lost = serializers.IntegerField(
        help_text="Events that retention took before the group had finished them, since somebody acknowledged it."
    )
    lost_total = serializers.IntegerField(help_text="The same since the group began: what to acknowledge.")
    filtered_total = serializers.IntegerField(
        help_text="Events that the group's filter did not let through: finished without being handed out."
    )
    expired_total = serializers.IntegerField(
        help_text="Events that expired before they were handed out, or again: finished without."
    )
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


class RememberedIdsSerializer(serializers.Serializer):
    window_seconds = serializers.IntegerField(help_text="For so long an id is not stored twice.")
    count = serializers.IntegerField(help_text="Ids that are remembered, at most.")
    since = serializers.DateTimeField(
        allow_null=True, help_text="When the event was recorded whose id is the oldest; null: there is none."
    )


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
    remembered_ids = RememberedIdsSerializer(allow_null=True, help_text="null: any id may come any number of times.")


class GroupPointSerializer(serializers.Serializer):
    minute = serializers.DateTimeField(help_text="The beginning of these `step_seconds`.")
    lag = serializers.IntegerField(allow_null=True, help_text="At that moment; null: it was not recorded.")
    finished = serializers.IntegerField(
        allow_null=True, help_text="Events committed, or acked, from then until the next point that was recorded."
    )
    failed = serializers.IntegerField(allow_null=True, help_text="Events nacked or expired, each time that they were.")
    dead_lettered = serializers.IntegerField(allow_null=True, help_text="Events that became dead letters.")


class GroupStatsSerializer(GroupStandingSerializer):
    # As in the query: Python does not know a name `from`.
    vars()["from"] = serializers.DateTimeField(help_text="Where the series begins.")
    to = serializers.DateTimeField(allow_null=True, help_text="Where it ends; null: now.")
    step_seconds = serializers.IntegerField(help_text="How long a point is.")
    series = GroupPointSerializer(many=True, help_text="Of the range, with the point under way.")


WINDOW = OpenApiParameter(
    "window",
    {"type": "string", "pattern": "^[1-9][0-9]{0,4}[mhd]$", "default": "1h"},
    description="How far back: minutes, hours or days, 1m to 30d.",
)


class StatsView(StrictView):
    permission_classes = (AnyCaller,)
    query_parameters = {"get": ("window",)}

    @extend_schema(
        operation_id="stream_stats",
        tags=["Streams"],
        parameters=[WINDOW],
        responses={200: StatsSerializer},
    )
    def get(self, request: Request, stream: str) -> Response:
        """What the stream holds and gains, and how far its consumer groups are behind."""
        window = window_parameter(self.query)
        found = require_stream(caller_of(request), stream)
        return Response(represent(get_stream_stats(found, window_seconds=window, now=timezone.now())))


class GroupStatsView(StrictView):
    permission_classes = (MayConsume,)
    query_parameters = {"get": ("window", "from", "to")}

    @extend_schema(
        operation_id="consumer_group_stats",
        tags=["Consumer groups"],
        parameters=[
            WINDOW,
            OpenApiParameter(
                "from", OpenApiTypes.DATETIME, description="Instead of `window`: since when, up to 30 days."
            ),
            OpenApiParameter("to", OpenApiTypes.DATETIME, description="With `from`: until when; now unless given."),
        ],
        responses={200: GroupStatsSerializer},
    )
    def get(self, request: Request, stream: str, group: str) -> Response:
        """How the group stands, and its lag, throughput and failures over time."""
        now = timezone.now()
        wanted = range_parameters(self.query, now=now)
        found = get_group_stats(require_stream(caller_of(request), stream, Right.CONSUME), group, wanted, now=now)
        return Response(
            {
                **_represent_group(found.numbers),
                "from": wanted.first,
                "to": wanted.until,
                "step_seconds": int(wanted.step.total_seconds()),
                "series": [
                    {
                        "minute": each.start,
                        "lag": each.lag,
                        "finished": each.finished,
                        "failed": each.failed,
                        "dead_lettered": each.dead_lettered,
                    }
                    for each in found.series
                ],
            }
        )


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
        "consumer_groups": [_represent_group(numbers) for numbers in stats.groups],
        "series": [{"minute": each.start, "events": each.events, "bytes": each.bytes} for each in stats.series],
        "not_rolled_up": holding.not_rolled_up,
        "rolled_up_until": holding.rolled_up_until,
        "remembered_ids": None if stats.remembered_ids is None else asdict(stats.remembered_ids),
    }


def _represent_group(numbers: GroupNumbers) -> dict[str, Any]:
    standing, outlook = numbers
    return {
        "id": standing.name,
        "mode": standing.mode,
        "lag": standing.lag,
        "lag_seconds": standing.lag_seconds,
        "in_flight": standing.in_flight,
        "waiting": standing.waiting,
        "isolating": standing.is_isolating,
        "suspected": standing.suspected,
        "held_up": standing.held_up,
        "scheduled": standing.scheduled,
        "next_scheduled_at": standing.next_scheduled_at,
        "dead_letters": standing.dead_letters,
        "missing": standing.missing,
        "lost": standing.lost,
        "lost_total": standing.lost_total,
        "filtered_total": standing.filtered_total,
        "expired_total": standing.expired_total,
        "last_seen_at": standing.last_seen_at,
        "retention_risk_seconds": outlook.retention_risk_seconds,
        "catch_up_seconds": outlook.catch_up_seconds,
    }
