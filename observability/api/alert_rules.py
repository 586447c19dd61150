"""`/alert-rules`: what is watched; and `/alerts`: what was found."""

import django_filters
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
    ChangeAlertRuleSerializer,
    CreateAlertRuleSerializer,
    read_new_rule,
    read_rule_changes,
)
from observability.alerts.queries import get_rule, list_alerts, list_rules
from observability.alerts.rules import ask_for_tests, change_rule, create_rule, delete_rule
from observability.api.alert_channels import AlertNotificationSerializer
from observability.models import Alert, AlertRule, AlertState, What

_FOR = "for"


class AlertRuleSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    what = serializers.ChoiceField(choices=What.values)
    stream = serializers.CharField(source="stream.name", default=None, allow_null=True)
    group = serializers.CharField(source="group.name", default=None, allow_null=True)
    threshold = serializers.IntegerField()
    repeat = serializers.IntegerField(source="repeat_seconds")
    channels = serializers.SerializerMethodField()
    paused = serializers.BooleanField(source="is_paused")
    stopped = serializers.CharField(
        help_text="Why nothing is watched: `not_visible`, `not_admin`, `owner_disabled`, `no_channel`; empty if it is."
    )
    owner = serializers.CharField(source="owner_name", help_text="A user's e-mail address, or a team's name.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        fields[_FOR] = serializers.IntegerField(source="for_seconds")
        return fields

    def get_channels(self, rule: AlertRule) -> list[int]:
        return sorted(channel.pk for channel in rule.channels.all())


class AlertSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    rule = serializers.IntegerField(source="rule_id")
    what = serializers.ChoiceField(choices=What.values, source="rule.what")
    subject = serializers.CharField(help_text="`stream/group` or `stream`; empty for the installation.")
    state = serializers.ChoiceField(choices=[state.value for state in AlertState if state != AlertState.PENDING])
    value = serializers.FloatField(help_text="The number as it was seen last.")
    threshold = serializers.IntegerField(source="rule.threshold")
    since = serializers.DateTimeField(source="began_at")
    fired_at = serializers.DateTimeField()
    repetitions = serializers.IntegerField(source="repeat_count")
    ended_at = serializers.DateTimeField(allow_null=True)


class AlertFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(
        choices=[(state.value, state.value) for state in AlertState if state != AlertState.PENDING]
    )

    class Meta:
        model = Alert
        fields: tuple[str, ...] = ()


@extend_schema(tags=["Alerts"])
class AlertRuleViewSet(StrictViewSet):
    permission_classes = (PersonWithRole,)
    serializer_class = AlertRuleSerializer
    queryset = AlertRule.objects.none()
    keyset = ("pk",)

    @extend_schema(operation_id="list_alert_rules")
    def list(self, request: Request) -> Response:
        """List the rules of yours and of your teams; an admin sees all."""
        page = self.paginate_queryset(list_rules(caller_of(request)))
        return self.get_paginated_response(AlertRuleSerializer(page, many=True).data)

    @extend_schema(
        operation_id="create_alert_rule", request=CreateAlertRuleSerializer, responses={201: AlertRuleSerializer}
    )
    @idempotent()
    def create(self, request: Request) -> Response:
        """Watch a stream or a group that you may see, or all of them: a number, from when on, and whom to tell."""
        caller = caller_of(request)
        new, owner = read_new_rule(request.data)
        owned_by = caller.principal if owner is None else find_owner(caller, owner)
        rule = create_rule(caller=caller, owner=owned_by, new=new)
        return Response(AlertRuleSerializer(rule).data, status=201)

    @extend_schema(operation_id="get_alert_rule")
    def retrieve(self, request: Request, rule_id: str) -> Response:
        """Look at one rule."""
        return Response(AlertRuleSerializer(get_rule(caller_of(request), rule_id)).data)

    @extend_schema(operation_id="change_alert_rule", request=ChangeAlertRuleSerializer)
    def partial_update(self, request: Request, rule_id: str) -> Response:
        """Change threshold, times, channels, or pause it; what is watched stays."""
        caller = caller_of(request)
        rule = get_rule(caller, rule_id)
        require_body(request)
        change_rule(caller=caller, rule=rule, changes=read_rule_changes(request.data))
        return Response(AlertRuleSerializer(get_rule(caller, rule_id)).data)

    @extend_schema(operation_id="delete_alert_rule", responses={204: None})
    def destroy(self, request: Request, rule_id: str) -> Response:
        """Delete a rule with all that it has found."""
        delete_rule(rule=get_rule(caller_of(request), rule_id))
        return Response(status=204)


class TestsSerializer(serializers.Serializer):
    notifications = AlertNotificationSerializer(many=True)


@extend_schema(tags=["Alerts"])
class AlertRuleTestView(StrictView):
    permission_classes = (PersonWithRole,)

    @extend_schema(operation_id="test_alert_rule", request=None, responses={202: TestsSerializer})
    @idempotent()
    def post(self, request: Request, rule_id: str) -> Response:
        """Send a message that says that it is a test to each channel of the rule."""
        caller = caller_of(request)
        tests = ask_for_tests(caller=caller, rule=get_rule(caller, rule_id), now=timezone.now())
        return Response({"notifications": AlertNotificationSerializer(tests, many=True).data}, status=202)


@extend_schema(tags=["Alerts"])
class AlertViewSet(StrictViewSet):
    permission_classes = (PersonWithRole,)
    serializer_class = AlertSerializer
    filterset_class = AlertFilter
    queryset = Alert.objects.none()
    keyset = ("-pk",)

    @extend_schema(operation_id="list_alerts")
    def list(self, request: Request) -> Response:
        """List what your rules have found, newest first; of the last 30 days, and all that fires."""
        page = self.paginate_queryset(self.filter_queryset(list_alerts(caller_of(request))))
        return self.get_paginated_response(AlertSerializer(page, many=True).data)
