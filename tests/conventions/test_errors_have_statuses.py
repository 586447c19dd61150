"""Each domain error says what happened under a code of its own, and exactly one place gives it a status."""

import importlib.util
import re

import pytest

from accounts.errors import DomainError
from eventflow_site.api.statuses import STATUS_OF

APPS = ("accounts", "streams", "consumers", "observability", "eventflow_site")
# A base that is never raised, and the two faces that one code may have.
ABSTRACT = {DomainError}
REFUSALS = {400, 401, 403, 404, 405, 409, 410, 411, 413, 415, 422, 429, 503}


def all_domain_errors() -> list[type[DomainError]]:
    for app in APPS:
        if importlib.util.find_spec(f"{app}.errors"):
            importlib.import_module(f"{app}.errors")
    found, waiting = [], [DomainError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if error not in ABSTRACT and error.__module__.split(".")[0] in APPS:
            found.append(error)
    return sorted(found, key=lambda error: error.__qualname__)


@pytest.mark.parametrize("error", all_domain_errors(), ids=lambda error: error.__qualname__)
def test_every_domain_error_has_a_status_a_code_and_a_title(error):
    assert STATUS_OF.get(error) in REFUSALS, f"{error.__name__} is not in eventflow_site/api/statuses.py"
    assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", error.code)
    assert error.code != DomainError.code
    assert error.title
    assert error.title != DomainError.title


def test_one_code_has_one_meaning():
    meanings: dict[str, set[tuple[str, int]]] = {}
    for error in all_domain_errors():
        meanings.setdefault(error.code, set()).add((error.title, STATUS_OF[error]))
    assert {code: meaning for code, meaning in meanings.items() if len(meaning) > 1} == {}


def test_domain_errors_stand_in_an_errors_module():
    assert [e for e in all_domain_errors() if not e.__module__.endswith(".errors")] == []
