"""SQL statements: each in a file of its own, read once, and the one way to run them.

A file's header is for people and stays here. `run` runs those of `accounts/sql/`; other folders have one of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from accounts.slow_statements import flag_if_slow


def _fetch(cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    result = cursor.pgresult
    return cursor.fetchall() if result is not None and result.nfields else []


def _execute(sql: bytes, params: Mapping[str, Any], many: bool, context: Mapping[str, Any]) -> list[tuple[Any, ...]]:  # noqa: ARG001, FBT001 - Django's signature
    with context["connection"].wrap_database_errors:
        cursor: psycopg.Cursor[tuple[Any, ...]] = context["cursor"]
        cursor.execute(sql, params, binary=True)
        return _fetch(cursor)


def _send_through_django(sql: bytes, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Send a statement on Django's connection of this thread, timed, traced and counted like Django's own.

    Its own cursor would write parameters into the text and fetch `bytea` as hexadecimal.
    """
    # Looked up once: what `django.db.connection` stands for is looked up at each use.
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    execute: Callable[..., list[tuple[Any, ...]]] = _execute
    for wrapper in reversed(connection.execute_wrappers):
        execute = partial(wrapper, execute)
    started = perf_counter()
    with psycopg.Cursor(connection.connection) as cursor:
        rows = execute(sql, params, False, {"connection": connection, "cursor": cursor})  # noqa: FBT003 - Django's signature
    if connection.queries_logged:
        # So that tests which count queries see this one as well.
        connection.queries_log.append({"sql": sql.decode(), "time": f"{perf_counter() - started:.3f}"})
    return rows


def _send_on_own(
    cursor: psycopg.Cursor[tuple[Any, ...]], sql: bytes, params: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    started = perf_counter()
    try:
        cursor.execute(sql, params, prepare=True)
        return _fetch(cursor)
    finally:
        flag_if_slow(sql, perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements of a folder, each by its file's name, on Django's connection or on one of the caller's own."""

    texts: Mapping[str, bytes]
    send: Callable[[bytes, Mapping[str, Any]], list[tuple[Any, ...]]] = _send_through_django

    def rows(self, name: str, /, **params: Any) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows; there are none if it returns nothing.

        Raises:
            django.db.Error: or psycopg.Error on a connection of the caller's own.
        """
        return self.send(self.texts[name], params)

    def on(self, own: psycopg.Connection[tuple[Any, ...]]) -> "Statements":
        """Return these statements for a connection outside Django, which prepares each when it first runs it."""
        return replace(self, send=partial(_send_on_own, own.cursor(binary=True)))


def read_statements(folder: Path) -> Statements:
    """Read every `.sql` file of a folder."""
    return Statements({path.stem: _without_header(path.read_text(encoding="utf-8")) for path in folder.glob("*.sql")})


def _without_header(text: str) -> bytes:
    """Leave out what only people need: comments, indentation, the semicolon. In bytes, as they go over the wire."""
    lines = [line for line in map(str.strip, text.splitlines()) if not line.startswith("--")]
    return "\n".join(lines).strip().removesuffix(";").encode()


run = read_statements(Path(__file__).parent / "sql").rows
