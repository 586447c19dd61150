"""Who did what: the audit trail with filters, and as a file."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import get_current_timezone, is_naive

from accounts.audit_actions import AuditAction
from accounts.database_threads import give_connection_back
from accounts.errors import InvalidCredentials
from accounts.http.downloads import Download
from accounts.models import AuditEntry
from accounts.row_ids import MAX_ROW_ID, row_id_in
from accounts.services.authenticate_browser import authenticate_browser
from observability.dashboard.listing import PAGE_ROWS, Listing, cursor_of, listing_of, text_filter
from observability.dashboard.page import Page
from observability.dashboard.queries.audit_page import AuditRow, view_entry
from observability.dashboard.spreadsheets import line_writer
from observability.operations.audit import AuditFilter, list_audit_entries

FILTERS = ("actor", "action", "stream", "group", "since", "until")
COLUMNS = (
    "at",
    "action",
    "actor",
    "actor_email",
    "address",
    "request_id",
    "stream",
    "group",
    "target",
    "before",
    "after",
)
MAX_EXPORTED = 100_000
PIECE_ENTRIES = 1_000


class Audit(Page):
    section = "audit"
    template = "dashboard/audit.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.whole(
            self.template,
            listing=list_page(request, list_audit_entries(self.caller, wanted_of(request)), filters=FILTERS),
            values={name: text_filter(request, name) for name in FILTERS},
            actions=list(AuditAction),
            export_query=request.GET.urlencode(),
            sees_all=self.caller.sees_everybody,
        )


class AuditFile(Page):
    """The same as comma-separated values, newest first, for a spreadsheet or an auditor's archive."""

    def get(self, request: HttpRequest) -> Any:
        lines = _lines(str(request.session.session_key), wanted_of(request))
        return Download(lines, caller=self.caller, name="audit-trail.csv", content_type="text/csv")


def list_page(request: HttpRequest, entries: QuerySet[AuditEntry], *, filters: Sequence[str] = ()) -> Listing[AuditRow]:
    """Return the page of these entries that the address asks for."""
    if (after := row_id_in(cursor_of(request) or "")) is not None:
        entries = entries.filter(pk__lt=after)
    rows = [view_entry(entry) for entry in entries[: PAGE_ROWS + 1]]
    return listing_of(request, rows, key=lambda row: row.id, filters=filters)


def wanted_of(request: HttpRequest) -> AuditFilter:
    """Return what the address asks for; a moment that is none is not looked for."""
    return AuditFilter(
        actor=text_filter(request, "actor"),
        action=text_filter(request, "action"),
        stream=text_filter(request, "stream").lower(),
        group=text_filter(request, "group").lower(),
        since=_moment(text_filter(request, "since")),
        until=_moment(text_filter(request, "until")),
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=get_current_timezone()) if moment and is_naive(moment) else moment


def _lines(session_key: str, wanted: AuditFilter) -> Iterator[str]:
    """Yield the file piece by piece; of each it is asked anew what they may know of, as it may be taken for hours.

    Between the pieces no connection is held.
    """
    line = line_writer()
    yield line(COLUMNS)
    count, last_id = 0, MAX_ROW_ID
    while count < MAX_EXPORTED:
        try:
            entries = list_audit_entries(authenticate_browser(session_key), wanted)
        except InvalidCredentials:
            yield line(("cut here: the session has ended",))
            return
        piece = list(entries.filter(pk__lt=last_id)[: min(PIECE_ENTRIES, MAX_EXPORTED - count)])
        give_connection_back()
        yield "".join(line([getattr(entry, name) for name in COLUMNS]) for entry in piece)
        if len(piece) < PIECE_ENTRIES:
            return
        count, last_id = count + len(piece), piece[-1].pk
