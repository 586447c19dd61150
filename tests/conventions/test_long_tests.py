"""What check-fast leaves out is there, and is not all there is."""

import ast

from tests.conventions.test_committed_files import PROJECT
from tests.long_tests import Recorder, long_tests, name_of


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


def test_a_test_with_parameters_is_long_if_it_is_with_some_of_them(tmp_path, monkeypatch):
    class Report:
        when = "call"

        def __init__(self, nodeid: str, *, is_long: bool) -> None:
            self.nodeid = nodeid
            self.user_properties = [("why", ""), ("is_long", is_long)]

    monkeypatch.setattr("tests.long_tests.LIST", tmp_path / "list.txt")
    recorder = Recorder()
    for nodeid, is_long in (("a.py::f[x]", True), ("a.py::f[y]", False), ("a.py::g", False)):
        recorder.pytest_runtest_logreport(Report(nodeid, is_long=is_long))
    recorder.pytest_sessionfinish()
    assert (tmp_path / "list.txt").read_text() == "a.py::f\n"
    assert name_of("a.py::f[b::c[d]") == "a.py::f"
