"""The overview: what happens now, and whether anything needs somebody."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.permissions import MayConsume
from accounts.roles import Right
from observability.dashboard.frame import roles_to_ask_for
from observability.dashboard.page import Page
from observability.dashboard.queries.background import get_background
from observability.dashboard.queries.charts import rate_chart
from observability.dashboard.queries.overview_page import MAX_COUNTED, count_open_dead_letters, get_overview
from observability.dashboard.queries.system_health import get_system_health
from observability.numbers.series import MINUTE


class Overview(Page):
    section = "overview"
    template = "dashboard/overview.html"
    region = "dashboard/_overview.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        overview = get_overview(self.caller, now=now)
        health = get_system_health(now=now)
        background = get_background(now=now) if self.caller.is_admin else ()
        return self.show(
            overview=overview,
            rate_chart=rate_chart(overview.activity.points, step=MINUTE, now=now),
            health=health,
            background=background,
            is_well=health.is_well and all(part.level == "good" for part in background) and not overview.lost,
            is_admin=self.caller.is_admin,
            asked_roles=roles_to_ask_for(self.caller),
            may_manage=self.caller.has_right(Right.MANAGE),
            may_consume=self.caller.has_right(Right.CONSUME),
            may_produce=self.caller.has_right(Right.PRODUCE),
        )


class Pulse(Page):
    """The number at "Dead letters" in the navigation."""

    permission_classes = (MayConsume,)

    def get(self, request: HttpRequest) -> HttpResponse:
        count = count_open_dead_letters(self.caller)
        return self.part("dashboard/_pulse.html", count=min(count, MAX_COUNTED), is_more=count > MAX_COUNTED)
