"""What is printed: tables for people, a JSON value on each line for programs, and nothing that moves the cursor."""

import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import msgspec

from .parsing import Options

# What a terminal may obey: C1 controls, and letters that turn the direction of what is around them.
_OBEYED: Final = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_JSON_SPACE: Final = re.compile(r"[\n\r\t]+")


class Output:
    """Writes the answer to standard output, as JSON if that was asked for, and remarks to standard error."""

    def __init__(self, options: Options) -> None:
        self.is_json = options.json

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], items: Sequence[Any]) -> None:
        """Write rows under their headings, or `items` if JSON was asked for."""
        if self.is_json:
            for item in items:
                self.json(item)
            return
        texts = [[cell(value) for value in row] for row in rows]
        lines = [[column.upper() for column in columns], *texts]
        widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
        is_number = [
            bool(rows) and all(isinstance(row[place], int | float | None) for row in rows)
            for place in range(len(columns))
        ]
        for line in lines:
            cells = [
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(line, widths, is_number, strict=True)
            ]
            write("  ".join(cells).rstrip())

    def facts(self, facts: Mapping[str, Any], item: Any) -> None:
        """Write names with their values, or `item` if JSON was asked for."""
        if self.is_json:
            self.json(item)
            return
        width = max(map(len, facts))
        for name, value in facts.items():
            write(f"{name:<{width}}  {cell(value)}")

    def done(self, text: str, item: Any) -> None:
        """Say in a sentence what was done, or write `item` if JSON was asked for."""
        if self.is_json:
            self.json(item)
        else:
            write(safe(text))

    def json(self, item: Any) -> None:
        content = item if isinstance(item, bytes | msgspec.Raw) else msgspec.json.encode(item, enc_hook=str)
        text = one_line(bytes(content).decode())
        write(sayable_json(json_for_terminal(text) if is_terminal(sys.stdout) else text))


def remark(text: str) -> None:
    """Say something beside the answer."""
    sys.stdout.flush()
    sys.stderr.write(safe(text) + "\n")
    sys.stderr.flush()


def write(line: str) -> None:
    sys.stdout.write(line + "\n")


def show_now() -> None:
    """Give whoever reads a pipe what was written so far, where the next line may be long in coming."""
    sys.stdout.flush()


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty()


def safe(text: str) -> str:
    """Return a text of whoever's, with everything escaped that a terminal would obey."""
    return "".join(
        _escaped(letter) if unicodedata.category(letter)[0] == "C" or letter in "\u2028\u2029" else letter
        for letter in text
    )


def one_line(json_text: str) -> str:
    """Return JSON on one line: what ends one can only stand between values, where a space means the same."""
    return _JSON_SPACE.sub(" ", json_text)


def json_for_terminal(json_text: str) -> str:
    """Return the same JSON, with what a terminal would obey written as JSON escapes."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def sayable_json(json_text: str) -> str:
    """Return the same JSON, with JSON escapes for what the encoding of standard output does not have."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        json_text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_sayable(letter, encoding) for letter in json_text)
    return json_text


def cell(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return safe(", ".join(map(str, value)) or "-")
    return safe(str(value)) or "-"


def moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sayable(letter: str, encoding: str) -> str:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        units = letter.encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
    return letter


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode()
