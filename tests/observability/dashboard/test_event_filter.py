"""Finding events by what is in them."""

import pytest

from observability.dashboard.queries.event_filter import EventFilter, parse_path, value_at

EVENT = (
    b'{"partition":0,"offset":1,"recorded_at":"2026-11-22T10:00:00.000000Z","id":"a","type":"order.created","key":"c-7",'
    b'"occurred_at":null,"headers":{},"payload":'
    b'{"id":12345678901234567890123,"name":"Ada","items":[{"sku":"A-1"},{"sku":"B-2"}],"ok":true,"note":"Blue River"}}'
)


@pytest.mark.parametrize(
    "wanted",
    [
        EventFilter(),
        EventFilter(type="order.created"),
        EventFilter(key="c-7"),
        EventFilter(text="blue river"),
        EventFilter(path="name", value="Ada"),
        EventFilter(path="name", value='"Ada"'),
        EventFilter(path="items[1].sku", value="B-2"),
        EventFilter(path="$.items.0.sku", value="A-1"),
        EventFilter(path="id", value="12345678901234567890123"),
        EventFilter(path="ok", value="true"),
        EventFilter(path="note"),
        EventFilter(type="order.created", key="c-7", text="ada", path="ok"),
    ],
)
def test_an_event_that_is_meant_is_found(wanted):
    assert wanted.matches(EVENT)


@pytest.mark.parametrize(
    "wanted",
    [
        EventFilter(type="order"),
        EventFilter(key="c-8"),
        EventFilter(text="red"),
        EventFilter(text="order.created"),
        EventFilter(path="missing"),
        EventFilter(path="items[2].sku"),
        EventFilter(path="name.first"),
        EventFilter(path="id", value="12345678901234567890124"),
        EventFilter(path="ok", value="True"),
    ],
)
def test_another_is_not(wanted):
    assert not wanted.matches(EVENT)


def test_the_text_is_looked_for_in_the_payload_alone():
    assert not EventFilter(text="recorded_at").matches(EVENT)


@pytest.mark.parametrize("path", ["", "...", "[]", "[999999999999]", "a" * 5000, "[0][0][0]", "\u0000"])
def test_no_path_breaks_it(path):
    value_at(b'{"a":[1]}', parse_path(path))
