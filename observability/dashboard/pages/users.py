"""Users, for admins: who is there; changing them is the administration's work."""

from django.http import HttpRequest, HttpResponse

from accounts.permissions import AdminOnly
from observability.dashboard.listing import PAGE_ROWS, cursor_of, listing_of, text_filter
from observability.dashboard.page import Page
from observability.dashboard.queries.user_pages import list_user_rows


class Users(Page):
    section = "users"
    permission_classes = (AdminOnly,)
    template = "dashboard/users.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        text = text_filter(request, "name")
        rows = list_user_rows(text=text, after=cursor_of(request), limit=PAGE_ROWS + 1)
        return self.whole(
            self.template, listing=listing_of(request, rows, key=lambda row: row.email, filters=("name",)), name=text
        )
