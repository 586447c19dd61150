"""msgspec's words become a place, a code and words; should it ever phrase them otherwise, this tells."""

from datetime import datetime
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from accounts.http.faults import fault_of


class Item(msgspec.Struct, forbid_unknown_fields=True):
    number: Annotated[int, Meta(ge=1)] = 1
    ratio: Annotated[float, Meta(le=2)] | None = None
    name: Annotated[str, Meta(max_length=3)] | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    labels: dict[str, str] = {}


class Body(msgspec.Struct, forbid_unknown_fields=True):
    items: list[Item]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b"{}", "/items", "required"),
        (b'{"items":[],"other":1}', "/other", "unknown_field"),
        (b'{"items":[{"x":1}]}', "/items/0/x", "unknown_field"),
        (b'{"items":[{},{"number":0}]}', "/items/1/number", "out_of_range"),
        (b'{"items":[{"ratio":2.5}]}', "/items/0/ratio", "out_of_range"),
        (b'{"items":[{"ratio":1e999}]}', "/items/0/ratio", "out_of_range"),
        (b'{"items":[{"number":"1"}]}', "/items/0/number", "invalid"),
        (b'{"items":[{"name":"long"}]}', "/items/0/name", "invalid"),
        (b'{"items":[{"at":"2026-11-22T10:00:00"}]}', "/items/0/at", "timezone_required"),
        (b'{"items":[{"at":"yesterday"}]}', "/items/0/at", "invalid"),
        (b'{"items":[{"labels":{"a":1}}]}', "/items/0/labels", "invalid"),
        (b'{"items":[7]}', "/items/0", "expected_object"),
        (b"[]", "", "expected_object"),
        (b'{"items":{}}', "/items", "invalid"),
    ],
)
def test_a_fault_has_a_place_and_a_code(body, pointer, code):
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(body, type=Body)
    fault = fault_of(refused.value)
    assert (fault.pointer, fault.code) == (pointer, code)
    assert fault.text
    assert " - at `$" not in fault.text


def test_a_field_is_named_but_not_at_any_length():
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.json.decode(b'{"%b":1}' % (b"x" * 1_000), type=Body)
    assert fault_of(refused.value).name == "x" * 60
