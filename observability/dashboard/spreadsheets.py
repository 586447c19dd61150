"""Comma-separated values for a spreadsheet, which must not take what somebody sent for a formula. Pure."""

import csv
from collections.abc import Callable, Sequence
from datetime import datetime

# What a spreadsheet would take for the beginning of a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    """What the writer of CSV writes to: it hands each line on."""

    def write(self, line: str) -> str:
        return line


def line_writer() -> Callable[[Sequence[object]], str]:
    """Return what makes a line of values; a text that begins like a formula has an apostrophe in front."""
    writer = csv.writer(_Line())
    return lambda values: str(writer.writerow([_cell(value) for value in values]))


def _cell(value: object) -> object:
    if value is None or isinstance(value, int):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
