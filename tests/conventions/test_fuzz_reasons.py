"""Why the fuzzer lets a refusal pass: for reasons that are written down, of which each can still be met."""

import ast
import functools

import pytest

from eventflow_site.api.problem_kinds import list_problem_kinds
from tests.conventions.source import nodes
from tests.fuzz.reasons import ANYWHERE, NOT_MADE_WITH_A_STREAM, REASONS, is_beyond_any_schema

KINDS = {kind.code: kind.status for kind in list_problem_kinds()}


def refusal(code: str, *items: tuple[str, str]) -> dict:
    return {"code": code, "errors": [{"code": item, "pointer": pointer} for item, pointer in items]}


@functools.cache
def texts_in_the_code() -> frozenset[str]:
    return frozenset(node.value for node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str))


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_can_be_met_and_has_a_why(reason):
    code, _, pointer = reason.partition(" ")
    assert code in KINDS or code in texts_in_the_code()
    if not pointer:
        assert KINDS[code] in (400, 412, 422), "a code that stands for a whole problem is one of a form that was fine"
    assert REASONS[reason].endswith(".")


@pytest.mark.parametrize("code", ANYWHERE)
def test_a_reason_of_any_place_can_be_met_and_has_a_why(code):
    assert code in texts_in_the_code()
    assert ANYWHERE[code].endswith(".")


def test_what_is_not_there_is_told_by_codes_that_there_are():
    assert {KINDS[code] for code in NOT_MADE_WITH_A_STREAM} == {404}


@pytest.mark.parametrize(
    ("problem", "passes"),
    [
        (refusal("reserved_name"), True),
        (refusal("invalid_name"), False),
        (refusal("invalid_events", ("stream_mismatch", "/17/stream")), True),
        (refusal("invalid_events", ("stream_mismatch", "/17/type")), False),
        (refusal("invalid_parameter", ("invalid_parameter", "?cursor")), True),
        (refusal("invalid_parameter", ("invalid_parameter", "?limit")), False),
        (refusal("invalid_request", ("in_the_past", "/expires_at"), ("required", "/name")), False),
        (refusal("invalid_events", ("reserved_attribute", "/3/offset"), ("invalid_text", "/subject")), True),
        (refusal("internal_error"), False),
    ],
)
def test_a_refusal_passes_if_all_that_is_wrong_is_beyond_a_schema(problem, passes):
    assert is_beyond_any_schema(problem) is passes
