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


def event(payload: str) -> bytes:
    return EVENT[: EVENT.index(b'"payload":')] + b'"payload":' + payload.encode() + b"}"


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        pytest.param("çelik", '"Çelik"', id="a capital beyond ASCII"),
        pytest.param("ÇELİK", '"çelik"', id="capitals looked for"),
        pytest.param("istanbul", '"İSTANBUL"', id="Turkish İ"),
        pytest.param("İstanbul", '"istanbul"', id="Turkish İ looked for"),
        pytest.param("ısparta", '"ISPARTA"', id="Turkish ı"),
        pytest.param("ISPARTA", '"ısparta"', id="Turkish ı in the payload"),
        pytest.param("straße", '"STRASSE"', id="ß looked for"),
        pytest.param("STRASSE", '"Straße"', id="ß in the payload"),
        pytest.param("ΟΔΟΣ", '"οδος"', id="Greek final sigma"),
        pytest.param("москва", '"МОСКВА"', id="Cyrillic"),
        pytest.param("300 k", '"300 \u212a"', id="Kelvin sign"),
        pytest.param("zoë", r'"zo\u00eb"', id="escaped"),
        pytest.param("ZOË", r'"zo\u00EB"', id="escaped, in capitals"),
        pytest.param("ada", r'"\u0041d\u0061"', id="escaped though ASCII"),
        pytest.param("çelik", r'"\u00c7elik"', id="a capital that is escaped"),
        pytest.param("👍 👍🏽", r'"\ud83d\udc4d \ud83d\udc4d\ud83c\udffd"', id="surrogate pairs"),
        pytest.param('say "hi"', r'"I say \"hi\""', id="quotes"),
        pytest.param(r"c:\temp", r'"C:\\temp"', id="a backslash"),
        pytest.param(r"c:\\temp", r'"C:\\temp"', id="a backslash as it was sent"),
        pytest.param("a/b", r'"a\/b"', id="a slash"),
        pytest.param(r"\u00eb", r'"\\u00eb"', id="what looks like an escape"),
        pytest.param(r"zo\u00eb", r'"zo\u00eb"', id="an escape as it was sent"),
        pytest.param("zoe\u0308", '"zoë"', id="combining looked for"),
        pytest.param("zoë", '"zoe\u0308"', id="combining in the payload"),
        pytest.param("zoë", r'"zoe\u0308"', id="combining and escaped"),
        pytest.param("né", r'{"n\u00e9": 1}', id="the name of a field"),
        pytest.param('"n":1.50', '{"n":1.50,"ş":2}', id="what is no text"),
    ],
)
def test_text_is_found_by_what_it_means(text, payload):
    assert EventFilter(text=text).matches(event(payload))
    assert not EventFilter(text=text + "x").matches(event(payload))


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("ë", r'"\\u00eb"'),
        ("celik", '"çelik"'),
        ("zoe", r'"zo\u00eb"'),
        ("👎", r'"\ud83d\udc4d"'),
        ("nn", r'"\n\n"'),
    ],
)
def test_what_only_looks_alike_is_not_found(text, payload):
    assert not EventFilter(text=text).matches(event(payload))


@pytest.mark.parametrize(
    ("value", "written"),
    [("zoë", r'"zo\u00eb"'), (r'"zo\u00eb"', '"zoë"'), ("zoe\u0308", '"zoë"'), ("zoë", '"zoe\u0308"')],
)
def test_a_value_is_what_it_means(value, written):
    wanted = EventFilter(path="name", value=value)
    assert wanted.matches(event(f'{{"name":{written}}}'))
    assert not wanted.matches(event('{"name":"ZOË"}'))


def test_the_text_is_looked_for_in_the_payload_alone():
    assert not EventFilter(text="recorded_at").matches(EVENT)


@pytest.mark.parametrize("path", ["", "...", "[]", "[999999999999]", "a" * 5000, "[0][0][0]", "\u0000"])
def test_no_path_breaks_it(path):
    value_at(b'{"a":[1]}', parse_path(path))
