"""How numbers, sizes and times are written on pages."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from consumers.browser_leases import is_browser, person_of
from observability.dashboard.typed_times import ZONE, field_text
from observability.dashboard.unseen import mark_unseen
from observability.wording import compact, duration, rate, size

register = template.Library()

SPARK_WIDTH, SPARK_HEIGHT = 104, 26

register.filter("marked", mark_unseen)
register.filter("field_text", field_text)
register.filter("duration", duration)
register.filter("rate", rate)
register.filter("size", size)


@register.filter(name="compact")
def shortened(value: float | None) -> str | SafeString:
    """A number as it is written everywhere; the exact one on hover where that is another."""
    text = compact(value)
    if value is None or text == f"{value:,.0f}":
        return text
    return format_html('<span title="{}">{}</span>', f"{value:,.0f}", text)


@register.filter
def thousands(value: int | None) -> str:
    """1204000 → 1,204,000."""
    return "–" if value is None else f"{value:,}"


@register.filter
def consumer(name: str) -> SafeString:
    """Who holds or held a delivery: a program by its name, a person by theirs."""
    return format_html("{} in the browser", mark_unseen(person_of(name))) if is_browser(name) else mark_unseen(name)


@register.filter
def coded(text: str) -> SafeString:
    """Words in which `this` is something to be typed."""
    pieces = enumerate(map(mark_unseen, text.split("`")))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", each) if at % 2 else each,) for at, each in pieces)
    )


@register.filter
def day(value: datetime) -> str:
    """The day of a time, in the zone of whoever looks."""
    return _local(value).date().isoformat()


def _local(value: datetime) -> datetime:
    """A time in the zone of whoever looks; where that has no such year any more, in UTC."""
    try:
        return timezone.localtime(value)
    except OverflowError:
        return value.astimezone(UTC)


@register.simple_tag
def moment(value: datetime | None, style: str = "ago", empty: str = "–") -> str | SafeString:
    """A time in the zone that the viewer chose, or UTC; by script the browser's. Style: ago, clock, exact or full."""
    if value is None:
        return empty
    exact = value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    local = _local(value)
    shown = local.isoformat(sep=" ", timespec="seconds")
    text = f"{shown[:19]} UTC{shown[19:] if local.utcoffset() else ''}"
    return format_html('<time datetime="{}" data-time="{}" title="{}">{}</time>', exact, style, exact, text)


@register.simple_tag
def zone_name() -> SafeString:
    """The name of the zone that times on the page are in; a script writes the browser's where nobody chose one."""
    return format_html("<span data-zone>{}</span>", str(timezone.get_current_timezone()))


@register.simple_tag
def zone_field() -> SafeString:
    """What says to the server in which zone the times of a form are meant."""
    return format_html('<input type="hidden" name="{}" value="{}">', ZONE, str(timezone.get_current_timezone()))


@register.simple_tag
def sparkline(values: Sequence[float], label: str) -> SafeString:
    """A small curve; its words are for those who cannot see it."""
    top = max(values, default=0)
    if len(values) < 2 or not top:
        line = f"M0 {SPARK_HEIGHT - 1}H{SPARK_WIDTH}"
        return format_html(_SPARK, "spark spark-flat", label, "", line)
    step = SPARK_WIDTH / (len(values) - 1)
    points = [(i * step, SPARK_HEIGHT - 2 - value / top * (SPARK_HEIGHT - 4)) for i, value in enumerate(values)]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return format_html(_SPARK, "spark", label, f"{line}V{SPARK_HEIGHT}H0Z", line)


_SPARK = mark_safe(  # noqa: S308  # nosec B308 B703 - a constant
    f'<svg class="{{}}" viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" preserveAspectRatio="none" role="img" '
    'aria-label="{}"><path class="spark-area" d="{}"/><path d="{}"/></svg>'
)


@register.filter
def share(part: int, whole: int) -> int:
    """Percent, rounded down so that 100 means all."""
    return 100 if not whole else int(100 * part / whole)


@register.simple_tag
def plural(count: int, one: str, many: str = "") -> str:
    """3 events, 1 event."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
