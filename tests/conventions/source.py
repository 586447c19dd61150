"""The code of the apps, taken apart once for all tests that look into it."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "streams", "consumers", "observability", "eventflow_site")

Nodes = tuple[ast.AST, ...]


@cache
def nodes_by_module() -> Mapping[str, Nodes]:
    """Every node of every module, by the module's path in the project, without migrations."""
    files = sorted(path for app in APPS for path in (PROJECT / app).rglob("*.py") if "migrations" not in path.parts)
    return {path.relative_to(PROJECT).as_posix(): tuple(ast.walk(ast.parse(path.read_text()))) for path in files}


def nodes() -> Iterator[ast.AST]:
    """Every node of every module."""
    return (node for found in nodes_by_module().values() for node in found)
