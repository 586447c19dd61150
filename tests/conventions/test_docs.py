"""The documents hang together: links lead somewhere, what they name exists, decisions have their four parts."""

import importlib
import re
import subprocess
from pathlib import Path

import pytest

from tests.conventions.metrics import metrics_in_the_code, table

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
DECISIONS = sorted((PROJECT / "docs" / "adr").glob("[0-9]*.md"))
APPS = ("accounts", "streams", "consumers", "observability", "eventflow_site", "tests", "benchmarks")
# Appending, idempotency, order, reading, offset mode, leases, dead letters, retention, erasure.
PROMISES = {"P": 7, "I": 7, "O": 6, "R": 5, "C": 4, "Q": 12, "D": 6, "T": 6, "E": 6, "M": 4}
PARTS = ["Context", "Decision", "Consequences", "What would change our mind"]

_FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# `streams/log/protocol.py`, `docs/adr/`, `tests/factories.py`
_PATH = re.compile(rf"(?:{'|'.join((*APPS, 'docs', 'templates', 'deploy'))})/[\w./*-]*")
# `streams.log.protocol`, `benchmarks.log_engine`
_MODULE = re.compile(rf"(?:{'|'.join(APPS)})(?:\.\w+)+")


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def prose(path: Path) -> str:
    """The text without its code blocks."""
    return _FENCE.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = [re.sub(r"[`*]", "", heading).strip().lower() for heading in _HEADING.findall(prose(path))]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def example_of_contributing(path: Path, name: str) -> bool:
    """The recipes of CONTRIBUTING.md invent an endpoint and a page."""
    invented = ("rename", "producers")
    return path.name == "CONTRIBUTING.md" and any(word in name for word in invented)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(path):
    dead = []
    for target in _LINK.findall(prose(path)):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_file_that_is_named_exists(path):
    named = [name for code in _CODE.findall(prose(path)) for name in [code.strip()] if _PATH.fullmatch(name)]
    missing = [name for name in named if not any(PROJECT.glob(name.rstrip("/")))]
    assert [name for name in missing if not example_of_contributing(path, name)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_test_that_is_named_exists(path):
    missing = []
    for code in _CODE.findall(prose(path)):
        file, separator, test = code.partition("::")
        if separator and file.startswith("tests/"):
            source = PROJECT / file
            if not source.exists() or f"def {test}(" not in source.read_text():
                missing.append(code)
    assert missing == []


def test_every_promise_is_numbered_and_has_tests():
    text = (PROJECT / "docs" / "delivery-promises.md").read_text()
    rows = re.findall(r"^\| ([A-Z])(\d+) \| .+? \| (.+) \|$", text, re.MULTILINE)
    numbers: dict[str, list[int]] = {}
    for letter, number, tests in rows:
        numbers.setdefault(letter, []).append(int(number))
        assert all(re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", test) for test in tests.split(", ")), (letter, number)
    assert {letter: len(found) for letter, found in numbers.items()} == PROMISES
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_module_that_is_named_can_be_found(path):
    missing = []
    for name in _CODE.findall(prose(path)):
        if _MODULE.fullmatch(name) and not name.endswith(".py"):
            base = PROJECT / Path(*name.split("."))
            if not (base.is_dir() or base.with_suffix(".py").exists() or has_attribute(name)):
                missing.append(name)
    assert missing == []


def has_attribute(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ImportError:
        return False


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_make_target_that_is_named_exists(path):
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    blocks = "\n".join(_FENCE.findall(path.read_text()))
    named = {*re.findall(r"`make ([a-z-]+)", prose(path)), *re.findall(r"^make ([a-z-]+)", blocks, re.MULTILINE)}
    assert named - targets == set()


def test_the_folders_of_the_readme_are_those_there_are():
    told = set(re.findall(r"^\| `(\w+)/` \|", (PROJECT / "README.md").read_text(), re.MULTILINE))
    kept = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False).stdout
    if not kept:
        pytest.skip("not a git checkout")
    there = {line.split("/")[0] for line in kept.splitlines() if "/" in line}
    assert told == {folder for folder in there if not folder.startswith(".")}


def test_the_names_in_the_readme_stand_in_the_code():
    words = [word for code in _CODE.findall(prose(PROJECT / "README.md")) for word in [code.strip()]]
    names = {word for word in words if re.fullmatch(r"\w+([_-]\w+)+|[A-Z]{3,}", word)}
    files = [PROJECT / "Makefile", *(path for app in APPS for path in (PROJECT / app).rglob("*.py"))]
    code = "\n".join(path.read_text() for path in files)
    assert "last_offset" in names
    assert {name for name in names if name not in code} == set()


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_four_parts_on_one_page(path):
    text = path.read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    assert text.startswith(f"# {path.stem[:4]} ")
    assert len(text.split()) < 700, "one page"


def test_the_list_of_decisions_is_complete_and_numbered_without_doubles():
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (PROJECT / "docs" / "adr" / "README.md").read_text())
    assert listed == [path.name for path in DECISIONS]
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(set(numbers)) == len(numbers)


def test_every_metric_is_documented_with_the_code_s_own_words():
    assert len(metrics_in_the_code()) > 10
    written = (PROJECT / "docs" / "metrics.md").read_text()
    assert table() in written, "put the output of tests.conventions.metrics.table() into docs/metrics.md"


def test_every_command_is_documented():
    there = {path.stem for app in APPS for path in (PROJECT / app).glob("management/commands/[a-z]*.py")}
    told = set(re.findall(r"^\| `(\w+)` \|", (PROJECT / "docs" / "commands.md").read_text(), re.MULTILINE))
    assert told == there


def test_the_changelog_has_a_place_for_what_comes():
    headings = re.findall(r"^## \[(.+?)\]", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"


def test_the_changelog_knows_the_kinds_of_change():
    kinds = set(re.findall(r"^### (.+)$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
