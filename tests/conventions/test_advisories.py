"""What `make audit` makes of what pip-audit says."""

import json

import pytest

from tests.advisories.__main__ import LOCK_FILES, tool
from tests.advisories.outcome import BROKEN, FINE, FOUND, outcome_of
from tests.conventions.test_committed_files import PROJECT

FAULTLESS = {"name": "django", "version": "5.2.9", "vulns": []}
UNKNOWN = {"name": "ours", "skip_reason": "Dependency not found and could not be audited: ours (1.0)"}
ADVISORY = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-12345"], "fix_versions": ["3.1"], "description": "Bad."}
FAULTY = {"name": "jinja2", "version": "3.0", "vulns": [ADVISORY]}


def told(*packages: object, errors: str = "") -> tuple[int, list[str]]:
    outcome = outcome_of(output=json.dumps({"dependencies": packages, "fixes": []}), errors=errors)
    return outcome.exit_code, outcome.lines


def test_the_tool_is_found_from_another_directory_too(monkeypatch):
    """The Makefile names it from the project's directory, and it runs in one without a pyproject.toml."""
    monkeypatch.setenv("PIP_AUDIT", ".venv/audit/bin/pip-audit")
    assert tool() == str(PROJECT / ".venv/audit/bin/pip-audit")
    monkeypatch.delenv("PIP_AUDIT")
    assert tool() == "pip-audit", "one that stands in the PATH is left to it"


def test_nothing_found_is_fine():
    assert told(FAULTLESS) == (FINE, ["1 packages checked, 0 advisories"])


def test_an_advisory_fails_and_says_what_mends_it():
    exit_code, lines = told(FAULTLESS, FAULTY, errors="Found 1 known vulnerability in 1 package")
    assert exit_code == FOUND
    assert lines == [
        "jinja2 3.0: PYSEC-2026-1, CVE-2026-12345; mended in 3.1",
        "2 packages checked, 1 advisories",
    ]


def test_an_advisory_without_a_mend_says_so():
    assert (
        told(FAULTY | {"vulns": [{"id": "PYSEC-2026-2"}]})[1][0] == "jinja2 3.0: PYSEC-2026-2; mended in no version yet"
    )


def test_an_index_without_advisories_is_not_taken_for_a_clean_one():
    assert told(UNKNOWN, UNKNOWN) == (FINE, ["not checked: the database of advisories knows none of these packages"])


def test_one_package_that_could_not_be_asked_for_is_named_beside_the_others():
    assert told(FAULTY, UNKNOWN)[0] == FOUND
    assert told(FAULTLESS, UNKNOWN) == (FINE, ["1 packages checked, 0 advisories", "not checked: ours"])


@pytest.mark.parametrize(
    "errors",
    [
        "ERROR:pip_audit._cli:Could not connect to the vulnerability feed",
        "Traceback …\nrequests.exceptions.ConnectionError: Max retries exceeded (Failed to resolve the name)",
        "requests.exceptions.ProxyError: Cannot connect to proxy.",
        "requests.exceptions.ReadTimeout: Read timed out. (read timeout=15)",
        "requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: …\nServiceError",
    ],
)
def test_a_network_that_is_away_is_said_in_one_line_and_fails_nothing(errors):
    outcome = outcome_of(output="", errors=errors)
    assert (outcome.exit_code, outcome.lines) == (FINE, ["not checked: the database of advisories cannot be reached"])


@pytest.mark.parametrize("output", ["", "[]", "null", "{}", "{"])
def test_a_tool_that_does_not_work_is_not_taken_for_an_answer(output):
    outcome = outcome_of(output=output, errors="usage: …\nERROR: hashes are missing")
    assert (outcome.exit_code, outcome.lines) == (BROKEN, ["pip-audit broke off: ERROR: hashes are missing"])


def test_every_lock_file_that_is_installed_where_events_are_is_looked_at():
    tools = {f"requirements-{tool}.txt" for tool in ("dev", "fuzz", "audit", "docs", "build", "release")}
    assert {path.name for path in PROJECT.glob("requirements*.txt")} - tools == set(LOCK_FILES)


def test_ci_runs_it():
    assert " audit" in (PROJECT / ".ci/run").read_text().partition("for target in ")[2].partition(";")[0]
