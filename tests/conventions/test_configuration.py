"""docs/configuration.md lists every variable that the code reads, and no other."""

import ast
import re
from collections.abc import Iterable, Iterator

from tests.conventions.source import PROJECT, nodes

DOCUMENT = PROJECT / "docs" / "configuration.md"
# Functions of ours that take a variable's name first.
READERS = {
    "required",
    "_number",
    "whole_number",
    "seconds",
    "yes_or_no",
    "one_of",
    "origins",
    "web_address",
    "places",
    "mail_server",
    "sender",
    "engines",
}
# Methods of os.environ and of django-environ's Env. `setdefault` writes.
METHODS = {"get", "str", "int", "bool", "float", "list", "url", "db_url", "pop"}
OBJECTS = {"env", "environ"}
_NAME = re.compile(r"[A-Z][A-Z0-9_]{2,}")
_DOCUMENTED = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \|", re.MULTILINE)
# Read, but set by our own entry points: nothing for a user to say.
INTERNAL = {"DJANGO_SETTINGS_MODULE"}


def last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def is_environment(node: ast.AST) -> bool:
    return last_name(node) in OBJECTS


def names_read(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Every literal that names a variable where the environment is read."""
    for node in nodes:
        literal: ast.AST | None = None
        if isinstance(node, ast.Call) and node.args:
            function = node.func
            is_method = (
                isinstance(function, ast.Attribute) and function.attr in METHODS and is_environment(function.value)
            )
            if is_method or last_name(function) in READERS | {"getenv"}:
                literal = node.args[0]
        elif isinstance(node, ast.Subscript) and is_environment(node.value) and isinstance(node.ctx, ast.Load):
            literal = node.slice
        elif isinstance(node, ast.Compare) and is_environment(node.comparators[0]):
            literal = node.left
        if isinstance(literal, ast.Constant) and isinstance(literal.value, str) and _NAME.fullmatch(literal.value):
            yield literal.value


def variables_read() -> set[str]:
    return set(names_read(nodes())) - INTERNAL


def variables_of_make() -> set[str]:
    text = (PROJECT / "Makefile").read_text()
    given = set(re.findall(r"^([A-Z_]+) \?=", text, re.MULTILINE))
    return given | set(re.findall(r"\$\(([A-Z_]+_ARGS)\)", text))


def documented() -> set[str]:
    return set(_DOCUMENTED.findall(DOCUMENT.read_text()))


def test_the_search_finds_each_way_of_reading():
    source = """
a = env.str("VIA_ENV", default="")
b = required("VIA_REQUIRED", "x")
c = os.environ.get("VIA_GET")
d = os.environ["VIA_ITEM"]
e = "VIA_IN" not in env
f = os.getenv("VIA_GETENV")
os.environ["WRITTEN"] = "x"
os.environ.setdefault("WRITTEN_TOO", "x")
"""
    assert set(names_read(ast.walk(ast.parse(source)))) == {
        "VIA_ENV",
        "VIA_REQUIRED",
        "VIA_GET",
        "VIA_ITEM",
        "VIA_IN",
        "VIA_GETENV",
    }


def test_every_variable_that_is_read_is_documented():
    assert (variables_read() | variables_of_make()) - documented() == set()


def test_every_variable_that_is_documented_is_read():
    assert documented() - variables_read() - variables_of_make() == set()
