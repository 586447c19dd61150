"""What waits to be sent, what failed and why; and what may be done about it."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from .amending import discard_failed, try_failed_again, try_now
from .conf import configuration
from .models import OutboxBatch, OutboxEvent, ProcessedEvent

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Any]
else:
    # Only its stubs know that it is generic.
    _Admin = admin.ModelAdmin


class ReadOnlyAdmin(_Admin):
    """Rows that only the package writes; nobody counts a large table."""

    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).using(configuration().database)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [each.name for each in self.opts.fields]


class StateFilter(admin.SimpleListFilter):
    """Waiting, under way or failed."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "waiting"), ("under_way", "under way"), ("failed", "failed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> QuerySet[OutboxEvent]:
        chosen: dict[str, dict[str, Any]] = {
            "waiting": {"batch": None, "failed_at": None},
            "under_way": {"batch__isnull": False},
            "failed": {"failed_at__isnull": False},
        }
        return queryset.filter(**chosen.get(self.value() or "", {}))


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    """The outbox."""

    list_display = ("id", "stream", "type", "key", "state", "published_at", "last_error")
    list_filter = (StateFilter,)
    list_select_related = ("batch",)
    search_fields = ("event_id", "key")
    ordering = ("id",)
    actions = ("send_again", "discard")

    def state(self, row: OutboxEvent) -> str:
        if row.failed_at is not None:
            return "failed"
        return "under way" if row.batch is not None else "waiting"

    def last_error(self, row: OutboxEvent) -> str:
        return row.error or (row.batch.last_error if row.batch is not None else "")

    @admin.action(description="Send failed events again", permissions=["change"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[OutboxEvent]) -> None:
        count = try_failed_again(chosen)
        self.message_user(request, f"{count} failed events are sent again.", messages.SUCCESS)

    @admin.action(description="Discard failed events: they are never sent", permissions=["change"])
    def discard(self, request: HttpRequest, chosen: QuerySet[OutboxEvent]) -> None:
        count = discard_failed(chosen)
        self.message_user(request, f"{count} failed events were discarded.", messages.SUCCESS)


@admin.register(OutboxBatch)
class OutboxBatchAdmin(ReadOnlyAdmin):
    """What is being sent, and why that takes so long."""

    list_display = ("stream", "made_at", "attempt_count", "next_attempt_at", "last_error")
    actions = ("now",)

    @admin.action(description="Try now", permissions=["change"])
    def now(self, request: HttpRequest, chosen: QuerySet[OutboxBatch]) -> None:
        count = try_now(chosen)
        self.message_user(request, f"{count} requests are tried now.", messages.SUCCESS)


@admin.register(ProcessedEvent)
class ProcessedEventAdmin(ReadOnlyAdmin):
    """What was handled. Who takes a mark away lets the event be handled again, should it come."""

    list_display = ("stream", "group", "partition", "offset", "event_id", "processed_at")
    search_fields = ("event_id",)
    ordering = ("-id",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("eventflow_django.delete_processedevent")
