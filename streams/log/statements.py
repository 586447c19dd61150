"""The SQL files beside the engine: `run` on Django's connection, `statements.on` on the log's own ones."""

from pathlib import Path
from typing import Final

from accounts.statements import read_statements

statements: Final = read_statements(Path(__file__).parent / "sql")
run = statements.rows
