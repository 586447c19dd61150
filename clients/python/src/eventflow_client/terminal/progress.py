"""How far something has come, on one line of standard error that is written over; nothing where nobody looks."""

import sys
import time
from types import TracebackType
from typing import Final, Self

from .output import is_terminal, safe

_PAUSE_SECONDS: Final = 0.2
_ERASE: Final = "\r\x1b[K"


class Progress:
    """Use it with `with`: the line is gone afterwards."""

    def __init__(self) -> None:
        self._is_shown = is_terminal(sys.stderr)
        self._next = 0.0

    def tell(self, text: str) -> None:
        """Show this, unless something was shown a moment ago."""
        now = time.monotonic()
        if self._is_shown and now >= self._next:
            self._next = now + _PAUSE_SECONDS
            sys.stderr.write(_ERASE + safe(text))
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()
