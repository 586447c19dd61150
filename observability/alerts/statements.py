"""The SQL files of `observability/alerts/sql/`."""

from pathlib import Path

from accounts.statements import read_statements

run = read_statements(Path(__file__).parent / "sql").rows
