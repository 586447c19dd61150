"""Alerts in the admin: to look at. They are made and changed on their page, by those whose they are."""

from django.contrib import admin

from accounts.read_only_admin import ReadOnlyAdmin
from observability.alerts.channels import shown_target
from observability.models import Alert, AlertChannel, AlertNotification, AlertRule


@admin.register(AlertChannel)
class AlertChannelAdmin(ReadOnlyAdmin):
    list_display = ("id", "name", "kind", "leads_to", "owner_name", "failed_in_row", "created_at")
    list_filter = ("kind",)
    list_select_related = ("owner", "owner_team")
    search_fields = ("name", "owner__email", "owner_team__name")
    # Its path and query may be a secret, and the seed is what one is made from.
    fields = ("name", "kind", "leads_to", "owner", "owner_team", "failed_in_row", "created_at", "updated_at")
    readonly_fields = ("leads_to",)

    @admin.display(description="leads to")
    def leads_to(self, channel: AlertChannel) -> str:
        return shown_target(channel.kind, channel.target)


@admin.register(AlertRule)
class AlertRuleAdmin(ReadOnlyAdmin):
    list_display = ("id", "what", "stream", "group", "threshold", "owner_name", "is_paused", "stopped", "created_at")
    list_filter = ("what", "is_paused")
    list_select_related = ("stream", "group", "owner", "owner_team")
    search_fields = ("stream__name", "group__name", "owner__email", "owner_team__name")


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ("id", "rule", "subject", "state", "value", "began_at", "fired_at", "ended_at")
    list_filter = ("state",)
    list_select_related = ("rule__stream", "rule__group")
    search_fields = ("subject",)


@admin.register(AlertNotification)
class AlertNotificationAdmin(ReadOnlyAdmin):
    list_display = ("id", "channel", "occasion", "status", "attempts", "next_attempt_at", "last_error", "created_at")
    list_filter = ("status", "occasion")
    list_select_related = ("channel", "alert")
    search_fields = ("message_id", "channel__name")
