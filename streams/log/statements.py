"""SQL files, one statement each, read once: those beside the engine, or another folder's."""

from functools import cache
from pathlib import Path

from psycopg.sql import SQL

_FOLDER = Path(__file__).parent / "sql"


@cache
def load(name: str, folder: Path = _FOLDER) -> SQL:
    """Return the statement of `<name>.sql` without its header comment, to save parsing and bytes on the wire."""
    text = (folder / f"{name}.sql").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return SQL("\n".join(lines).strip().removesuffix(";"))
