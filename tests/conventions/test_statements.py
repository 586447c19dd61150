"""SQL stands in files of its own, one statement each, explained at its head, and there is one way to run it."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psycopg._queries
import pytest

from accounts.statements import read_statements
from tests.conventions.source import APPS, PROJECT, Nodes, nodes_by_module

# Migrations say what they change, and `embedded` starts servers that have no database yet.
ELSEWHERE = {"migrations", "embedded"}
# Acts: what a statement that writes deliveries does to them, held against their table elsewhere.
HEADER = ("Params", "Acts", "Returns", "Locks", "Plan")

RUNNER = "accounts/statements.py"
RUNS_SQL_TOO = {
    "eventflow_site/database.py": "the class of the connections themselves: what they do around a statement",
    "eventflow_site/migration_turn.py": "holds a lock on the connection that migrates, whichever that is",
    "eventflow_site/pooler.py": "asks what the role has through the pooler, on a connection that Django does not know",
    "streams/connections.py": "asks who serves a connection, before anybody knows whether it may prepare anything",
    "eventflow_site/supervisor/servers.py": "makes the database that Django connects to, named by an identifier",
}
VERBS = re.compile(
    r"\s*(SELECT|WITH|VALUES|INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|LOCK|SET|SHOW|LISTEN|NOTIFY|CREATE|ALTER|DROP|BEGIN"
    r"|COMMIT|ROLLBACK|SAVEPOINT|ANALYZE|VACUUM|EXPLAIN)(\s|;|$)"
)

STATEMENTS = sorted(path for app in APPS for path in (PROJECT / app).rglob("sql/*.sql"))


def shown(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


@cache
def code() -> dict[str, Nodes]:
    return {path: nodes for path, nodes in nodes_by_module().items() if not ELSEWHERE & set(path.split("/"))}


def sections(path: Path) -> dict[str, str]:
    """The parts of a header by name; what a statement is for has the name ''."""
    found = {"": ""}
    name = ""
    for line in path.read_text().splitlines():
        if not line.startswith("--"):
            break
        if match := re.match(rf"-- ({'|'.join(HEADER)})  +\S", line):
            name = match[1]
            assert name not in found, f"{name} twice"
        found[name] = found.get(name, "") + line.removeprefix("--") + "\n"
    return found


def body(path: Path) -> str:
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("--")).strip()


def strings(nodes: Nodes) -> Iterator[str]:
    return (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_the_files_are_found():
    assert len(STATEMENTS) > 50
    assert RUNNER in code()


@pytest.mark.parametrize("path", STATEMENTS, ids=shown)
def test_a_statement_is_explained_at_its_head(path):
    parts = sections(path)
    assert tuple(parts) in {("", *HEADER), ("", *(name for name in HEADER if name != "Acts"))}
    assert re.match(r"[A-Z].*\.$", parts[""].strip(), re.DOTALL), "what it is for, in sentences"

    given = set(re.findall(r"(?<!%)%\((\w+)\)[sbt]", body(path)))
    explained = set(re.findall(r"\w+", parts["Params"])) - {"Params"}
    assert given <= explained
    assert (parts["Params"].split() == ["Params", "none"]) == (not given)


@pytest.mark.parametrize("path", STATEMENTS, ids=shown)
def test_a_file_holds_one_statement(path):
    without_strings = re.sub(r"'[^']*'", "''", body(path))
    assert without_strings.endswith(";")
    assert without_strings.count(";") == 1


@pytest.mark.parametrize("path", STATEMENTS, ids=shown)
def test_a_statement_is_taken_apart_once(path):
    """What is longer psycopg looks through for its parameters at each use."""
    sent = read_statements(path.parent).texts[path.stem]
    assert len(sent) <= psycopg._queries.MAX_CACHED_STATEMENT_LENGTH


def test_every_statement_is_run_by_its_app():
    named = {(name.partition("/")[0], text) for name, nodes in code().items() for text in strings(nodes)}
    of_apps = {shown(path): (path.relative_to(PROJECT).parts[0], path.stem) for path in STATEMENTS}
    assert [path for path, statement in of_apps.items() if statement not in named] == []


def calls_of(nodes: Nodes, names: set[str]) -> Iterator[ast.Call]:
    for node in nodes:
        if isinstance(node, ast.Call) and (getattr(node.func, "attr", "") or getattr(node.func, "id", "")) in names:
            yield node


def test_every_statement_that_is_run_exists():
    names = {path.stem for path in STATEMENTS}
    run = [
        call.args[0].value
        for nodes in code().values()
        for call in calls_of(nodes, {"run", "_run", "rows"})
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    ]
    assert len(run) > 50
    assert set(run) <= names


def test_statements_are_run_in_one_module():
    methods = {"cursor", "execute", "executemany", "callproc", "raw", "extra", "Cursor", "ClientCursor"}
    classes = {"Cursor", "ClientCursor", "RawSQL"}
    running = {
        name
        for name, nodes in code().items()
        for call in calls_of(nodes, methods | classes)
        if isinstance(call.func, ast.Attribute) or call.func.id in classes
    }
    assert running == {RUNNER, *RUNS_SQL_TOO}


def test_no_sql_stands_in_strings():
    found = {(name, text) for name, nodes in code().items() for text in strings(nodes) if VERBS.match(text)}
    assert {name for name, _ in found} <= set(RUNS_SQL_TOO), found
