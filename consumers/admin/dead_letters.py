"""Dead letters in the admin: filters, the event, its attempts; redrive and discard confirm with the count."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from accounts.models import User
from accounts.read_only_admin import ReadOnlyAdmin
from consumers.conf import MAX_BULK_IDS, MAX_NOTE_CHARACTERS, MAX_SEARCH_CHARACTERS, SEARCH_DEAD_LETTERS
from consumers.dead_letter_queries import list_managed_groups
from consumers.dead_letter_search import DeadLetterFilter, look_through
from consumers.models import BulkKind, DeadLetter, DeadLetterAttempt, Redrive
from consumers.services.dead_letters.bulk import preview_bulk_action, start_bulk_action

MAX_SHOWN_BYTES = 20_000


class _LookInline(admin.TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AttemptInline(_LookInline):
    model = DeadLetterAttempt
    fields = ("number", "outcome", "consumer", "leased_at", "ended_at", "error")


class RedriveInline(_LookInline):
    model = Redrive
    fields = ("round", "requested_by", "requested_at", "note", "is_edited", "difference", "outcome", "ended_at")
    readonly_fields = fields

    @admin.display(description="edited", boolean=True)
    def is_edited(self, redrive: Redrive) -> bool:
        return redrive.edited_event is not None


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "group",
        "stream",
        "partition_number",
        "offset",
        "event_type",
        "reason",
        "status",
        "failure_count",
        "short_error",
        "created_at",
    )
    list_filter = ("status", "reason", "created_at")
    list_select_related = ("group__stream", "partition")
    search_fields = ("group__name", "group__stream__name", "=event_id", "=error_fingerprint")
    inlines = (AttemptInline, RedriveInline)
    actions = ("redrive", "discard")
    exclude = ("event",)
    readonly_fields = ("shown_event",)
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        found = super().get_queryset(request)
        # A page of fifty does not need fifty events; the page of one does.
        return (
            found if request.resolver_match and "object_id" in request.resolver_match.kwargs else found.defer("event")
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DeadLetter], search_term: str
    ) -> tuple[QuerySet[DeadLetter], bool]:
        """Also those that have the text in their error, or their event's type, id or key: of the newest."""
        found, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        text = search_term.strip()[:MAX_SEARCH_CHARACTERS]
        if text:
            letters, wanted = queryset.order_by("-pk"), DeadLetterFilter(text=text)
            look = look_through(letters, wanted, most_found=MAX_BULK_IDS, most_looked_at=SEARCH_DEAD_LETTERS)
            found |= queryset.filter(pk__in=look.ids)
            if not look.is_end:
                told = f"For the text, the newest {look.looked_at} were looked at."
                self.message_user(request, told, messages.WARNING)
        return found, may_have_duplicates

    @admin.display(description="stream")
    def stream(self, dead_letter: DeadLetter) -> str:
        return dead_letter.group.stream.name

    @admin.display(description="partition")
    def partition_number(self, dead_letter: DeadLetter) -> int:
        return dead_letter.partition.number

    @admin.display(description="last error")
    def short_error(self, dead_letter: DeadLetter) -> str:
        return dead_letter.last_error[:80]

    @admin.display(description="event")
    def shown_event(self, dead_letter: DeadLetter) -> str:
        if dead_letter.event is None:
            return "Retention took it before it could be copied."
        return bytes(dead_letter.event)[:MAX_SHOWN_BYTES].decode(errors="replace")

    @admin.action(description="Redrive: send to their groups again", permissions=["view"])
    def redrive(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> TemplateResponse | None:
        return self._act(request, chosen, BulkKind.REDRIVE)

    @admin.action(description="Discard: give up on them for good", permissions=["view"])
    def discard(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> TemplateResponse | None:
        return self._act(request, chosen, BulkKind.DISCARD)

    def _act(self, request: HttpRequest, chosen: QuerySet[DeadLetter], kind: BulkKind) -> TemplateResponse | None:
        """Show how many it would be; with the confirmation, do it."""
        ids = list(chosen.order_by("pk").values_list("pk", flat=True)[: MAX_BULK_IDS + 1])
        if len(ids) > MAX_BULK_IDS:
            advice = f"That is more than {MAX_BULK_IDS}: use POST /api/v1/dead-letters/{kind} with a filter."
            self.message_user(request, advice, messages.ERROR)
            return None
        wanted = DeadLetterFilter(ids=tuple(ids))
        caller = cast("User", request.user).as_caller()
        groups = list_managed_groups(caller, wanted)
        if "confirmed" not in request.POST:
            preview = preview_bulk_action(kind=kind, groups=groups, wanted=wanted)
            context = {
                **self.admin_site.each_context(request),
                "title": f"{kind.label.capitalize()} {preview.count} dead letters?",
                "opts": self.opts,
                "kind": kind.value,
                "preview": preview,
                "chosen_count": len(ids),
                "ids": ids,
                "action_checkbox_name": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "admin/consumers/deadletter/confirm.html", context)
        action = start_bulk_action(
            kind=kind,
            groups=groups,
            wanted=wanted,
            requested_by=caller.reference,
            note=request.POST.get("note", "")[:MAX_NOTE_CHARACTERS].replace("\x00", ""),
        )
        told = "done" if action.finished_at else "under way"
        self.message_user(request, f"{kind.label.capitalize()} of {action.total_count} dead letters: {told}.")
        return None
