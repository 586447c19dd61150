"""The history of one stream: every change of it, who made it and when, from the audit trail."""

from django.http import HttpRequest, HttpResponse

from accounts.permissions import MayManage
from accounts.roles import Right
from observability.dashboard.page import Page
from observability.dashboard.pages.audit import list_page
from observability.dashboard.queries.stream_pages import describe_stream
from observability.operations.audit import AuditFilter, list_audit_entries

FILTERS = ("groups",)


class StreamHistory(Page):
    """What was done with the stream itself, or with its groups as well, newest first."""

    section = "streams"
    permission_classes = (MayManage,)
    template = "dashboard/stream_history.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.MANAGE)
        # By its id: one that had its name before has a history of its own.
        entries = list_audit_entries(self.caller, AuditFilter()).filter(stream_id=heading.info.id)
        has_groups = request.GET.get("groups") == "shown"
        if not has_groups:
            entries = entries.filter(group_id=None)
        return self.whole(
            self.template,
            stream=heading,
            tab="settings",
            listing=list_page(request, entries, filters=FILTERS),
            has_groups=has_groups,
        )
