"""The SQL files of `consumers/sql/`, run on Django's connection of this thread."""

from pathlib import Path
from typing import Any

from streams.log.reading import query
from streams.log.statements import load

_FOLDER = Path(__file__).parent / "sql"


def run(name: str, **params: Any) -> list[tuple[Any, ...]]:
    """Run `sql/<name>.sql` and return its rows (none for a statement that returns none)."""
    return query(load(name, _FOLDER), params)
