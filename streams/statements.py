"""The SQL files of `streams/sql/`; those of the log are its own."""

from pathlib import Path

from accounts.statements import read_statements

run = read_statements(Path(__file__).parent / "sql").rows
