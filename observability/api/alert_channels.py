"""`/alert-channels`: where alerts are sent."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.parsers import require_body
from accounts.http.views import StrictView, StrictViewSet
from accounts.permissions import PersonWithRole
from accounts.queries import find_owner
from observability.alerts.bodies import (
    ChangeAlertChannelSerializer,
    CreateAlertChannelSerializer,
    read_channel_changes,
    read_new_channel,
)
from observability.alerts.channels import ask_for_test, change_channel, create_channel, delete_channel, shown_target
from observability.alerts.queries import get_channel, last_notifications, list_channels
from observability.models import AlertChannel, AlertNotification, ChannelKind, NotificationStatus, Occasion


class AlertNotificationSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="pk")
    channel = serializers.IntegerField(source="channel_id")
    occasion = serializers.ChoiceField(choices=Occasion.values)
    message_id = serializers.CharField(help_text="As in the header `webhook-id`: the same in every try.")
    status = serializers.ChoiceField(choices=NotificationStatus.values)
    attempts = serializers.IntegerField()
    last_error = serializers.CharField(help_text="Why the last try failed; empty if none has.")
    next_attempt_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class AlertChannelSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ChannelKind.values)
    name = serializers.CharField()
    url = serializers.CharField(allow_null=True, help_text="Its beginning: the rest may be a secret.")
    address = serializers.CharField(allow_null=True)
    owner = serializers.CharField(help_text="A user's e-mail address, or a team's name.")
    failed_in_row = serializers.IntegerField(help_text="Tries in a row that failed, up to the last one.")
    last_notification = AlertNotificationSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class NewAlertChannelSerializer(AlertChannelSerializer):
    secret = serializers.CharField(
        allow_null=True, help_text="What a webhook is signed with, as Standard Webhooks write it; shown this once."
    )


def represent_channels(channels: list[AlertChannel]) -> list[dict[str, Any]]:
    """Return what AlertChannelSerializer describes of each."""
    last = last_notifications(channels)
    return [AlertChannelSerializer(_fields_of(channel, last.get(channel.pk))).data for channel in channels]


def _fields_of(channel: AlertChannel, last: AlertNotification | None) -> dict[str, Any]:
    shown, is_email = shown_target(channel.kind, channel.target), channel.kind == ChannelKind.EMAIL
    return {
        "id": channel.pk,
        "kind": channel.kind,
        "name": channel.name,
        "url": None if is_email else shown,
        "address": shown if is_email else None,
        "owner": channel.owner_name,
        "failed_in_row": channel.failed_in_row,
        "last_notification": last,
        "created_at": channel.created_at,
        "updated_at": channel.updated_at,
    }


@extend_schema(tags=["Alerts"])
class AlertChannelViewSet(StrictViewSet):
    permission_classes = (PersonWithRole,)
    serializer_class = AlertChannelSerializer
    queryset = AlertChannel.objects.none()
    keyset = ("pk",)

    @extend_schema(operation_id="list_alert_channels")
    def list(self, request: Request) -> Response:
        """List the channels of yours and of your teams; an admin sees all."""
        page = self.paginate_queryset(list_channels(caller_of(request)))
        return self.get_paginated_response(represent_channels(page or []))

    @extend_schema(
        operation_id="create_alert_channel",
        request=CreateAlertChannelSerializer,
        responses={201: NewAlertChannelSerializer},
    )
    @idempotent(redact=("secret",))
    def create(self, request: Request) -> Response:
        """Make a channel: a webhook (its secret is shown once), an incoming webhook of Slack's, an e-mail address."""
        caller = caller_of(request)
        fields, owner = read_new_channel(request.data)
        owned_by = caller.principal if owner is None else find_owner(caller, owner)
        new = create_channel(caller=caller, owner=owned_by, **fields)
        return Response({**represent_channels([new.channel])[0], "secret": new.secret}, status=201)

    @extend_schema(operation_id="get_alert_channel")
    def retrieve(self, request: Request, channel_id: str) -> Response:
        """Look at one channel, and at how the last message to it went."""
        return Response(represent_channels([get_channel(caller_of(request), channel_id)])[0])

    @extend_schema(operation_id="change_alert_channel", request=ChangeAlertChannelSerializer)
    def partial_update(self, request: Request, channel_id: str) -> Response:
        """Give a channel another name or address; a webhook's secret stays."""
        caller = caller_of(request)
        channel = get_channel(caller, channel_id)
        require_body(request)
        changes = read_channel_changes(request.data, kind=channel.kind)
        return Response(represent_channels([change_channel(caller=caller, channel=channel, changes=changes)])[0])

    @extend_schema(operation_id="delete_alert_channel", responses={204: None})
    def destroy(self, request: Request, channel_id: str) -> Response:
        """Delete a channel that no rule uses, with what was sent to it."""
        delete_channel(channel=get_channel(caller_of(request), channel_id))
        return Response(status=204)


@extend_schema(tags=["Alerts"])
class AlertChannelTestView(StrictView):
    permission_classes = (PersonWithRole,)

    @extend_schema(operation_id="test_alert_channel", request=None, responses={202: AlertNotificationSerializer})
    @idempotent()
    def post(self, request: Request, channel_id: str) -> Response:
        """Send a test within seconds; `last_notification` of the channel says how it went."""
        caller = caller_of(request)
        test = ask_for_test(caller=caller, channel=get_channel(caller, channel_id), now=timezone.now())
        return Response(AlertNotificationSerializer(test).data, status=202)
