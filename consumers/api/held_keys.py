"""`GET …/{group}/held-keys`: which keys hold up events, and by what."""

from django.conf import settings
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.views import StrictView
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.queries import get_group
from consumers.services.held_keys import MAX_HELD_KEYS, count_held_up, list_held_keys
from consumers.states import DeliveryState
from streams.lookup import require_stream

_HOLDING = [DeliveryState.LEASED.value, DeliveryState.WAITING.value, DeliveryState.EXHAUSTED.value]


class HeldKeySerializer(serializers.Serializer):
    """A key of which events wait for their turn, and the event before them that is not finished."""

    partition = serializers.IntegerField()
    key = serializers.CharField(allow_null=True, help_text="Null where retention has taken the event that has it.")
    held_up = serializers.IntegerField(help_text="How many of its events wait for their turn.")
    since = serializers.DateTimeField(help_text="When the first of them was found to have to wait.")
    offset = serializers.IntegerField(help_text="Of the event that holds them up.")
    delivery_id = serializers.IntegerField(help_text="Of its delivery, to retry it now or to release it.")
    state = serializers.ChoiceField(
        choices=_HOLDING, help_text="leased: somebody works on it; waiting: for its time; exhausted: about to be dead."
    )
    delivery_count = serializers.IntegerField()
    failure_count = serializers.IntegerField()
    leased_by = serializers.CharField(help_text="Who has it, or had it last.")
    expires_at = serializers.DateTimeField(allow_null=True)
    available_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField()


HeldKeysSerializer = inline_serializer(
    "HeldKeys",
    {
        "held_up": serializers.IntegerField(help_text="How many events of the group are held up, of all keys."),
        "most": serializers.IntegerField(
            help_text="How many may be: a partition whose next event would be one more hands out nothing new."
        ),
        "data": HeldKeySerializer(many=True),
    },
)


class HeldKeysView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="list_held_keys",
        tags=["Lease mode"],
        responses={200: HeldKeysSerializer},
        description=f"Up to {MAX_HELD_KEYS} keys of a group with `ordering: key`, the longest held up first.",
    )
    def get(self, request: Request, stream: str, group: str) -> Response:
        """List the keys of which events wait, since when, and which event holds them up."""
        found = require_stream(caller_of(request), stream, Right.CONSUME)
        own = get_group(found, group)
        keys = list_held_keys(stream=found, group=own)
        return Response(
            {
                "held_up": count_held_up(own),
                "most": settings.MAX_HELD_UP,
                "data": HeldKeySerializer(keys, many=True).data,
            }
        )
