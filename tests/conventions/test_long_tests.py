"""What check-fast leaves out is there, and is not all there is."""

import ast

from tests.conventions.test_committed_files import PROJECT
from tests.long_tests import LONG_SECONDS, Recorder, long_tests, name_of


def named_in(path: str) -> set[str]:
    found = set()
    for node in ast.parse((PROJECT / path).read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{path}::{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found.add(f"{path}::{node.name}")
    return found


def test_each_that_is_listed_exists():
    listed = long_tests()
    there = set().union(*(named_in(path) for path in {name.partition("::")[0] for name in listed}))
    assert listed - there == set(), "`make long-tests` renews the list"


def test_of_a_test_with_parameters_the_longest_counts(tmp_path, monkeypatch):
    class Report:
        when = "call"

        def __init__(self, nodeid: str, seconds: float) -> None:
            self.nodeid = nodeid
            self.user_properties = [("why", ""), ("processor_seconds", seconds)]

    monkeypatch.setattr("tests.long_tests.LIST", tmp_path / "list.txt")
    recorder = Recorder()
    for nodeid, seconds in (("a.py::f[x]", LONG_SECONDS * 2), ("a.py::f[y]", 0.0), ("a.py::g", LONG_SECONDS / 2)):
        recorder.pytest_runtest_logreport(Report(nodeid, seconds))
    recorder.pytest_sessionfinish()
    assert (tmp_path / "list.txt").read_text() == "a.py::f\n"
    assert name_of("a.py::f[b::c[d]") == "a.py::f"
