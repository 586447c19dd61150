"""Templates of simulated payloads."""

import re
from datetime import UTC, datetime
from random import Random

import orjson
import pytest

from observability.errors import InvalidTemplate
from observability.operations.simulations.faults import spoil
from observability.operations.simulations.placeholders import KINDS, Moment, compile_payload, compile_text


def moment(sequence: int = 7) -> Moment:
    return Moment(Random(sequence), sequence, datetime(2026, 11, 22, 10, 0, tzinfo=UTC))


def render(template: str) -> object:
    return orjson.loads(compile_payload(template).render(moment()))


def test_a_string_that_is_one_number_becomes_a_number():
    made = render('{"n": "{{int 3 3}}", "s": "no {{int 3 3}}", "a": "{{amount 5 6}}", "q": "{{sequence}}"}')

    assert made["n"] == 3
    assert made["s"] == "no 3"
    assert 5 <= made["a"] <= 6
    assert made["q"] == 7


def test_other_placeholders_become_text():
    made = render('{"name": "{{name}}", "mail": "{{email}}", "id": "{{uuid}}", "at": "{{now}}", "c": "{{choice x y}}"}')

    assert made["name"]
    assert made["mail"].endswith("@example.com")
    assert re.fullmatch(r"[0-9a-f-]{36}", made["id"])
    assert made["at"] == "2026-11-22T10:00:00.000Z"
    assert made["c"] in ("x", "y")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_example_can_be_used(kind):
    render(f'{{"value": "{kind.example}", "inside": "<{kind.example}>"}}')
    assert compile_text(kind.example).render(moment())


def test_the_same_event_is_made_again():
    template = compile_payload('{"a": "{{uuid}}", "b": "{{int 1 1000000}}"}')

    assert template.render(moment(5)) == template.render(moment(5))
    assert template.render(moment(5)) != template.render(moment(6))


@pytest.mark.parametrize(
    "template",
    [
        "{",
        "",
        '{"a": {{int 1 2}}}',
        '{"a": "{{colour}}"}',
        '{"a": "{{int 9 1}}"}',
        '{"a": "{{int 1}}"}',
        '{"a": "{{int nan 5}}"}',
        '{"a": "{{int 1 1e300}}"}',
        '{"a": "{{choice}}"}',
        '{"a": "{{name please}}"}',
        '{"a": "\ud800"}',
    ],
)
def test_what_cannot_be_used_is_refused(template):
    with pytest.raises(InvalidTemplate):
        compile_payload(template)


@pytest.mark.parametrize("payload", ['{"a": 1, "b": "x"}', "{}", "[1]", '"x"', "17"])
def test_a_spoilt_payload_is_json_and_another_one(payload):
    for seed in range(20):
        spoilt, fault = spoil(payload, Random(seed))
        assert orjson.loads(spoilt) != orjson.loads(payload)
        assert fault
