"""Deliveries and bulk actions in the admin: to look at."""

from django.contrib import admin

from accounts.read_only_admin import ReadOnlyAdmin
from consumers.models import BulkAction, Delivery


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "group",
        "partition_number",
        "first_offset",
        "last_offset",
        "state",
        "delivery_count",
        "failure_count",
        "leased_by",
        "lease_expires_at",
        "available_at",
        "short_error",
    )
    list_filter = ("state", "exhausted_reason")
    list_select_related = ("group__stream", "partition")
    search_fields = ("group__name", "group__stream__name", "leased_by")
    # The token is its holder's alone.
    exclude = ("lease_token",)
    ordering = ("-id",)

    @admin.display(description="partition")
    def partition_number(self, delivery: Delivery) -> int:
        return delivery.partition.number

    @admin.display(description="last error")
    def short_error(self, delivery: Delivery) -> str:
        return delivery.last_error[:80]


@admin.register(BulkAction)
class BulkActionAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "kind",
        "status",
        "requested_by",
        "total_count",
        "done_count",
        "per_second",
        "created_at",
        "finished_at",
        "cancelled_by",
        "note",
    )
    list_filter = ("kind",)
    ordering = ("-id",)
