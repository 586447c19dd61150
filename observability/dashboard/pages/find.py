"""One box for whatever has a name."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from observability.dashboard.listing import PAGE_ROWS, text_filter
from observability.dashboard.page import Page
from observability.dashboard.queries.find import find, without_secret


class Find(Page):
    """What is found by kinds; where one thing alone has exactly this name, the way to it."""

    template = "dashboard/find.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        text = text_filter(request, "q")
        found = find(self.caller, text, page_rows=PAGE_ROWS) if text else None
        if found and (only := found.only):
            return HttpResponseRedirect(only.url)
        shown = without_secret(text)
        return self.whole(self.template, text=shown, is_secret=shown != text, found=found)
