"""The children's logs: whole in files, their warnings on the terminal.

Children write straight to their files, so that none of them ever waits for a terminal or loses a
line with its supervisor.
"""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

MAX_LOG_BYTES = 50_000_000
_MOST_LINES_AT_ONCE = 5
_LONGEST_LINE = 300
_READ_AT_ONCE_BYTES = 1_000_000
_WORDS = ("WARNING", "ERROR", "CRITICAL", "FATAL", "PANIC")
_LEVELS = ("warning", "error", "critical")
_WORTH_SHOWING = re.compile(rf"""\b({"|".join(_WORDS)})\b|"level":\s*"({"|".join(_LEVELS)})"|^Traceback""")
# One of these is in every line worth showing. Nearly every request writes a line, and hardly ever one of those.
_SIGNS = [sign.encode() for sign in (*_WORDS, *(f'"{level}"' for level in _LEVELS), "Traceback")]
_NO_NEWS = {
    # What it says in the course of an ordinary stop, start or refused statement.
    "postgres": re.compile(r"ERROR: |terminating connection|the database system is|stopping|shutting down"),
    # It saves nothing in the background, and so needs no memory for a copy of itself.
    "valkey": re.compile(r"Memory overcommit"),
    # The threads wait for events, they do not compute.
    "web": re.compile(r"Configuration allows spawning up to"),
    # As root, in a container say: its messages are JSON, which cannot make it run anything.
    "worker": re.compile(r"SecurityWarning: You're running the worker with superuser privileges"),
}
_LAST_WORDS = re.compile(r"^(?:\w+\.)*[A-Z]\w*: .")
_NOTHING = re.compile(r"(?!)")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\uffff]")


class LogWatch:
    """Finds what is new and worth a look in one log file, and keeps the file from growing for ever."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._no_news = _NO_NEWS.get(name, _NOTHING)
        self._position = path.stat().st_size if path.exists() else 0

    def new_warnings(self) -> list[str]:
        """Lines of level warning and above since the last call, fit for a terminal."""
        try:
            with self._path.open("rb") as log:
                size = os.fstat(log.fileno()).st_size
                log.seek(self._position if self._position <= size else 0)
                # A flood is in the file; the terminal gets the beginning of it.
                fresh = log.read(_READ_AT_ONCE_BYTES)
        except FileNotFoundError:
            return []
        whole, _, _ = fresh.rpartition(b"\n")
        if size - self._position > _READ_AT_ONCE_BYTES:
            # Also where no line has ended: one that is longer than what is read at once would be waited for for ever.
            whole = whole or fresh
            self._position = size
        elif not whole:
            return []
        else:
            self._position = (self._position if self._position <= size else 0) + len(whole) + 1
        if size >= MAX_LOG_BYTES:
            self._turn_over()
        if not any(sign in whole for sign in _SIGNS):
            return []
        lines = whole.decode(errors="replace").splitlines()
        shown = [
            f"{self._name}: {_UNPRINTABLE.sub(' ', line)[:_LONGEST_LINE]}"
            for line in lines
            if _WORTH_SHOWING.search(line) and not self._no_news.search(line)
        ]
        if len(shown) > _MOST_LINES_AT_ONCE:
            rest = len(shown) - _MOST_LINES_AT_ONCE
            shown = [*shown[:_MOST_LINES_AT_ONCE], f"{self._name}: {rest} more in {self._path}"]
        return shown

    def _turn_over(self) -> None:
        # Writers hold the file open for appending: they go on at the new end after the truncation.
        older = self._path.with_name(self._path.name + ".1")
        # With no room for a copy there is the more reason to empty the log.
        with suppress(OSError):
            shutil.copyfile(self._path, older)
        os.truncate(self._path, 0)
        self._position = 0


def said_since(path: Path, position: int) -> list[str]:
    """The lines that were added to a log after `position`, fit for a terminal."""
    try:
        with path.open("rb") as log:
            log.seek(position)
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [_UNPRINTABLE.sub(" ", line)[:_LONGEST_LINE] for line in lines if line.strip()]


def reason_among(lines: list[str]) -> str:
    """The line that explains a failed start: the end of the last traceback, else the last line."""
    ends = [line for line in lines if _LAST_WORDS.match(line)]
    # The class of what refuses a setting would tell nobody anything.
    last = (ends or lines or ["it gave no reason"])[-1]
    return last.removeprefix("django.core.exceptions.ImproperlyConfigured: ")
