"""What writes deliveries: statements in .sql files, and functions that do it by the ORM."""

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.conventions.source import APPS, PROJECT, Nodes, nodes_by_module

STATEMENT = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\s+consumers_delivery\b")
ORM_WRITES = {"update", "delete", "save", "create", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}


@cache
def statements() -> dict[str, str]:
    """Every statement that writes deliveries: its name and text."""
    texts = {path.stem: path.read_text() for app in APPS for path in (PROJECT / app).rglob("*.sql")}
    return {name: text for name, text in texts.items() if STATEMENT.search(text)}


def functions() -> Iterator[str]:
    """Every function that writes rows by the ORM in a module that knows deliveries, or deletes what they hang on."""
    for path, nodes in nodes_by_module().items():
        assert not STATEMENT.search((PROJECT / path).read_text()), f"{path}: a statement belongs into a .sql file"
        writes = ORM_WRITES if _knows_deliveries(nodes) else {"delete"} if path.startswith("consumers/") else set()
        for function in (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            if any(_is_write(node, writes) for node in ast.walk(function)):
                yield f"{path}: {function.name}"


def _knows_deliveries(nodes: Nodes) -> bool:
    imports = (node for node in nodes if isinstance(node, ast.ImportFrom))
    return any(alias.name == "Delivery" for node in imports for alias in node.names)


def _is_write(node: ast.AST, writes: set[str]) -> bool:
    """Whether it is a call that writes rows, other than `Another.objects…`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in writes:
        return False
    root = node.func.value
    while isinstance(root, ast.Attribute | ast.Call):
        root = root.value if isinstance(root, ast.Attribute) else root.func
    name = root.id if isinstance(root, ast.Name) else ""
    return name == "Delivery" or not name[:1].isupper()
