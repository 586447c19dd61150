"""The files in which this process counts: with room on the disk for what they will hold, and with nobody else's gauges.

prometheus_client maps files that have no room yet. Where the disk is full by the time that a page of one is written,
the system kills the process: with a full disk no web server would live long enough to say so.
"""

import mmap
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

_FIRST_BYTES: Final = 1 << 16
# What an entry takes beside its key, at most.
_ENTRY_BYTES: Final = 32


class OwnCounts(MmapedDict):
    """A file that has its room before anything is written. Without room it goes on in memory, for nobody but itself.

    Args:
        filename: as prometheus_client names it, with this process's number.
    """

    def __init__(self, filename: str) -> None:
        path = Path(filename)
        if path.name.startswith("gauge_"):
            # An earlier process had our number, in a container say, and was killed: what it waited for is over.
            path.unlink(missing_ok=True)
        if _make_room(path):
            super().__init__(filename)  # type: ignore[no-untyped-call]
        else:
            self._f = None  # type: ignore[assignment]
            self._capacity = _FIRST_BYTES
            self._m = mmap.mmap(-1, self._capacity)
            self._positions: dict[str, int] = {}
            # As in a file, the first of them say how many are used.
            self._used = 8

    def _init_value(self, key: str) -> None:
        while self._used + len(key.encode()) + _ENTRY_BYTES > self._capacity:
            self._double()
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _double(self) -> None:
        more = 2 * self._capacity
        if self._f is not None and _write(self._f.fileno(), bytes(self._capacity), at=self._capacity):
            self._m = mmap.mmap(self._f.fileno(), more)
        else:
            # What is in the file stays there, and counted.
            kept = self._m[: self._capacity]
            self._m = mmap.mmap(-1, more)
            self._m[: self._capacity] = kept
        self._capacity = more


def count_in_own_files(process_id: Callable[[], int]) -> None:
    """Have what is counted from now on go into files of `process_id`'s number."""
    values.MmapedDict = OwnCounts  # type: ignore[attr-defined, assignment]
    values.ValueClass = values.MultiProcessValue(process_id)  # type: ignore[no-untyped-call]


def _make_room(path: Path) -> bool:
    """Make a file whose every page has its place on the disk; whether there is room for one."""
    try:
        with path.open("r+b" if path.exists() else "x+b") as file:
            there = file.read()
            if _write(file.fileno(), there.ljust(_FIRST_BYTES, b"\0"), at=0):
                return True
            file.truncate(len(there))
    except OSError:
        pass
    with suppress(OSError):
        if not path.stat().st_size:
            path.unlink()
    return False


def _write(descriptor: int, content: bytes, *, at: int) -> bool:
    try:
        return os.pwrite(descriptor, content, at) == len(content)
    except OSError:
        return False
