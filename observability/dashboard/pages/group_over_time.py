"""One group over time: lag, throughput and failures of an hour, a day, a week, or a range of one's own."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.errors import InvalidParameter
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.queries import get_group
from observability.dashboard.forms import Form
from observability.dashboard.listing import text_filter
from observability.dashboard.page import Page
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.group_charts import group_charts
from observability.dashboard.queries.group_pages import describe_group
from observability.dashboard.queries.stream_pages import describe_stream
from observability.dashboard.typed_times import ZONE, moment_of, zone_of
from observability.numbers.group_series import list_group_points
from observability.numbers.ranges import TimeRange, range_between, range_of_window
from observability.wording import duration

FROM, TO = "from", "to"
WINDOWS = {"1h": 3600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
WORDS = {"1h": "Hour", "24h": "Day", "7d": "Week", "30d": "30 days"}


class GroupOverTime(Page):
    section = "groups"
    permission_classes = (MayConsume,)
    template = "dashboard/group_over_time.html"
    region = "dashboard/_group_over_time.html"

    def get(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = get_group(heading.info, group)
        now = timezone.now()
        page = describe_group(self.caller, heading.info, found, now=now)
        values = {name: text_filter(request, name, longest=40) for name in (FROM, TO)} | {ZONE: zone_of(request.GET)}
        is_own = bool({FROM, TO} & request.GET.keys())
        window = request.GET.get("window", "")
        window = "" if is_own else window if window in WINDOWS else "1h"
        context: dict[str, Any] = {
            "stream": heading,
            "group": page,
            "tab": "over-time",
            "window": window,
            "windows": WORDS,
            "form": Form(values),
        }
        try:
            wanted = _own_range(values, now) if is_own else range_of_window(WINDOWS[window], now=now)
        except InvalidParameter as error:
            context["form"] = Form(values, {error.parameter: error.fault})
            return self.whole(self.template, status=problem_of(error, request).status, **context)
        points = list_group_points(found, wanted, now=now)
        context |= {
            "range": wanted,
            "step": duration(wanted.step.total_seconds()),
            "charts": group_charts(points, is_lease_mode=page.is_lease_mode),
            "is_recorded": any(point.finished is not None for point in points),
        }
        return self.show(**context)


def _own_range(values: dict[str, str], now: datetime) -> TimeRange:
    """What the form says; an empty end is an open one.

    Raises:
        InvalidParameter
    """
    if not values[FROM]:
        raise InvalidParameter(FROM, "Say since when.")
    zone = values[ZONE]
    begins_at = moment_of(values[FROM], FROM, zone=zone)
    ends_at = moment_of(values[TO], TO, zone=zone, is_end=True) if values[TO] else None
    return range_between(begins_at, ends_at, now=now)
