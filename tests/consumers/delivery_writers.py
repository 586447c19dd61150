"""What writes deliveries: statements in .sql files, and functions that do it by the ORM."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
APPS = ("accounts", "streams", "consumers", "observability", "eventflow_site")
STATEMENT = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\s+consumers_delivery\b")
ORM_WRITES = {"update", "delete", "save", "create", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}


@cache
def statements() -> dict[str, str]:
    """Every statement that writes deliveries: its name and text."""
    texts = {path.stem: path.read_text() for app in APPS for path in (ROOT / app).rglob("*.sql")}
    return {name: text for name, text in texts.items() if STATEMENT.search(text)}


def functions() -> Iterator[str]:
    """Every function that writes rows by the ORM in a module that knows deliveries, or deletes what they hang on."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if "migrations" in path.parts:
                continue
            text = path.read_text()
            assert not STATEMENT.search(text), f"{path}: a statement belongs into a .sql file"
            module = ast.parse(text)
            writes = ORM_WRITES if _knows_deliveries(module) else {"delete"} if app == "consumers" else set()
            for function in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)):
                if any(_is_write(node, writes) for node in ast.walk(function)):
                    yield f"{path.relative_to(ROOT)}: {function.name}"


def _knows_deliveries(module: ast.Module) -> bool:
    imports = (node for node in ast.walk(module) if isinstance(node, ast.ImportFrom))
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
