"""How many others to expect, where those who come at the same time share what costs the same for one as for many."""

import time
from typing import Final

# As many will come as came last time, if that was no longer ago than this: programs ask again when they were answered.
BUSY_SECONDS: Final = 0.03


class Company:
    """How many came together last time. Not for several threads at once."""

    __slots__ = ("_came", "_until")

    def __init__(self) -> None:
        self._came = 1
        self._until = 0.0

    def note(self, came: int) -> None:
        """Note how many came together now."""
        self._came, self._until = came, time.monotonic() + BUSY_SECONDS

    @property
    def expected(self) -> int:
        """How many others will come along with whoever comes next; 0: nobody was seen for a while, or one alone."""
        return self._came - 1 if self._came > 1 and time.monotonic() < self._until else 0
