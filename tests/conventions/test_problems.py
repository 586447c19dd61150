"""Every code that a caller can meet is explained, on the server and in the documents."""

import ast
import re

import pytest
from django.test import Client

from accounts.errors import DomainError
from eventflow_site.api.problem_kinds import SITE_KINDS, explanation_of, list_problem_kinds, render_markdown
from eventflow_site.api.problems import TYPE_BASE
from eventflow_site.api.statuses import STATUS_OF
from tests.conventions.source import PROJECT, nodes


def all_errors(base: type[DomainError] = DomainError) -> set[type[DomainError]]:
    return {each for child in base.__subclasses__() for each in {child, *all_errors(child)}}


def problems_in_the_code() -> set:
    """Every `Problem(status, "code", …)` that is written out anywhere."""
    found = set()
    for node in nodes():
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Problem":
            literals = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant)]
            if len(literals) == 2:
                found.add((literals[0], literals[1]))
    return found


def test_the_code_was_searched_and_not_in_vain():
    assert (404, "not_found") in problems_in_the_code()


@pytest.mark.parametrize(
    "error",
    sorted(all_errors(), key=lambda error: getattr(error, "__name__", "")),
    ids=lambda e: getattr(e, "__name__", ""),
)
def test_every_domain_error_has_a_status_and_is_explained(error):
    assert any(kind in STATUS_OF for kind in error.__mro__), f"{error.__name__} has no status in STATUS_OF"
    speaker = next(kind for kind in STATUS_OF if kind.code == error.code)
    meaning, remedy = explanation_of(speaker)
    assert meaning.endswith("."), f"{speaker.__name__}: the docstring's first paragraph says what happened"
    assert remedy.endswith("."), f"{speaker.__name__}: the docstring's second paragraph says what to do about it"


def test_every_problem_written_out_in_the_code_is_listed():
    listed = {(kind.status, kind.code) for kind in list_problem_kinds()}
    assert problems_in_the_code() - listed == set()


def test_what_the_site_lists_is_really_answered_somewhere():
    # A domain error may answer with the same code; the rest must be written out.
    assert {(kind.status, kind.code) for kind in SITE_KINDS} - problems_in_the_code() == set()


def made_in_the_code() -> set[str]:
    """The names of all classes that are called or raised anywhere in the apps."""
    found: set[str] = set()
    for node in nodes():
        made = node.func if isinstance(node, ast.Call) else node.exc if isinstance(node, ast.Raise) else None
        found.add(str(getattr(made, "id", None) or getattr(made, "attr", "")))
    return found


def test_every_error_that_is_explained_is_raised_by_something():
    made = made_in_the_code()
    never = {
        error.__name__
        for error in all_errors()
        if not {error, *all_errors(error)} & {e for e in all_errors() if e.__name__ in made}
    }
    assert never == set()


def test_one_code_never_has_two_statuses():
    statuses: dict[str, set[int]] = {}
    for error, status in STATUS_OF.items():
        statuses.setdefault(error.code, set()).add(status)
    for kind in SITE_KINDS:
        statuses.setdefault(kind.code, set()).add(kind.status)
    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}


def test_the_document_is_up_to_date():
    written = (PROJECT / "docs" / "problems.md").read_text()
    assert written == render_markdown(list_problem_kinds()), "run `make docs`"


class TestThePage:
    """No test here asks for a database: the page needs none, and must be there in an outage."""

    def page(self):
        return Client().get(TYPE_BASE.removesuffix("#"))

    def test_it_is_where_the_type_of_a_problem_leads_and_open_to_all(self):
        response = self.page()
        assert response.status_code == 200
        assert response["Content-Type"] == "text/html; charset=utf-8"

    def test_every_code_is_an_anchor_once(self):
        anchors = re.findall(r'<section [^>]*id="([a-z0-9_]+)"', self.page().content.decode())
        assert sorted(anchors) == sorted(kind.code for kind in list_problem_kinds())

    def test_the_words_of_the_error_classes_are_shown_and_escaped(self):
        text = self.page().content.decode()
        assert "The stream accepts no appends for now." in text
        assert "<code>Authorization: Bearer &lt;access token&gt;</code>" in text
        assert "`" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)

    def test_it_only_reads(self):
        assert Client().post(TYPE_BASE.removesuffix("#")).status_code in (403, 405)
