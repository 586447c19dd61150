"""Charts are painted, and stay painted while the page renews itself."""

from datetime import timedelta

import pytest
from django.db.models import F
from playwright.sync_api import expect

from observability.models import StreamMinute
from observability.numbers.rollups import roll_up
from tests.browser.story import append, tell_story
from tests.factories import make_stream

# The share of the canvas's height, from below, that the series' own colour reaches; 0 when none of it was painted.
PAINTED_HEIGHT = """(name) => {
    const holder = document.getElementById(name);
    const canvas = holder.querySelector("canvas");
    if (!canvas) return 0;
    const probe = document.body.appendChild(document.createElement("span"));
    probe.style.color = `var(--chart-${holder.dataset.hue ?? 1})`;
    const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
    probe.remove();
    const { width, height } = canvas;
    const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    for (let i = 0; i < pixels.length; i += 4) {
        const isClose = wanted.every((part, at) => Math.abs(pixels[i + at] - part) < 12);
        if (isClose && pixels[i + 3] > 200) return 1 - Math.floor(i / 4 / width) / height;
    }
    return 0;
}"""


def roll_up_into_an_earlier_minute() -> None:
    """A minute that has just begun is drawn like the one before, which would make a test depend on the second."""
    roll_up(seconds=5)
    StreamMinute.objects.update(minute=F("minute") - timedelta(minutes=5))


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    roll_up_into_an_earlier_minute()
    sign_in(user=told.owner)
    return told


@pytest.mark.parametrize(
    ("path", "charts"),
    [
        ("/", ["rate-chart"]),
        ("/streams/orders", ["rate-chart", "size-chart"]),
        ("/streams/orders?window=24h", ["rate-chart", "size-chart"]),
        ("/streams/orders?window=30d", ["rate-chart", "size-chart"]),
    ],
)
def test_a_chart_rises_where_events_were_appended(page, story, path, charts):
    page.goto(path)

    for chart in charts:
        expect(page.locator(f"#{chart} canvas")).to_be_visible()
        assert page.evaluate(PAINTED_HEIGHT, chart) > 0.5, chart


@pytest.mark.parametrize(("path", "charts"), [("/", ["rate-chart"]), ("/streams/orders", ["rate-chart", "size-chart"])])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chart_is_still_there_after_the_page_renewed_itself(page, story, scheme, path, charts):
    page.emulate_media(color_scheme=scheme)
    page.goto(path)
    append(story.stream, {"type": "order.late", "payload": 1})

    expect(page.locator("#region")).to_contain_text("order.late")
    for chart in charts:
        assert page.evaluate(PAINTED_HEIGHT, chart) > 0.5, chart


def test_one_event_is_enough_for_a_chart(page, story):
    lonely = make_stream("lonely", owner=story.owner)
    append(lonely, {"payload": "one"})
    roll_up_into_an_earlier_minute()
    page.goto("/streams/lonely")

    for chart in ("rate-chart", "size-chart"):
        assert page.evaluate(PAINTED_HEIGHT, chart) > 0.5, chart
    for window in ("7d", "30d"):
        page.goto(f"/streams/lonely?window={window}")
        assert page.evaluate(PAINTED_HEIGHT, "rate-chart") > 0.5, window


def test_a_stream_without_events_shows_a_line_along_the_bottom(page, story):
    make_stream("silent", owner=story.owner)
    page.goto("/streams/silent")

    assert 0 < page.evaluate(PAINTED_HEIGHT, "rate-chart") < 0.25


def test_the_axes_go_to_the_next_unit_where_rounding_reaches_it(page, story):
    page.goto("/")
    write = """async ([name, values]) => {
        const scripts = performance.getEntriesByType("resource").map((each) => each.name);
        const charts = await import(scripts.find((each) => /\\/charts\\.[^/]*js$/.test(each)));
        return values.map(charts[name]);
    }"""
    numbers = [0.25, 9.97, 999, 999.6, 1_000, 1_234, 99_949, 999_499, 999_999, 999_999_999, 1_500_000_000]
    sizes = [9.5, 1_023, 1_023.6, 1_536, 2**20 - 1, 2**30 - 1, 5 * 2**30]

    assert page.evaluate(write, ["shortNumber", numbers]) == [
        *("0.25", "10", "999", "1k", "1k", "1.2k", "99.9k", "999k", "1M", "1G", "1.5G")
    ]
    assert page.evaluate(write, ["shortSize", sizes]) == [
        *("9.5 B", "1023 B", "1 KiB", "1.5 KiB", "1 MiB", "1 GiB", "5 GiB")
    ]
