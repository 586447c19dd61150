"""Turns: where all wait for the same thing, each gets it in turn, however many requests each has brought."""

from collections import deque
from contextvars import ContextVar
from typing import Generic, TypeVar

Item = TypeVar("Item")
# Who it is for, from the outside in: an owner, then one of their keys. Nobody in particular: ().
Names = tuple[str, ...]

current_names: ContextVar[Names] = ContextVar("in_turn", default=())


class Turns(Generic[Item]):
    """A queue of queues: those who stand first in it have one turn each, then it is the first one's turn again.

    Within one owner the keys take turns in the same way, and what one key asked first it gets first.
    """

    def __init__(self) -> None:
        self._lines: dict[str, Turns[Item]] = {}
        self._own: deque[Item] = deque()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def lengths(self, names: Names) -> list[int]:
        """Return how many wait under each of the names, the outermost first."""
        if not names:
            return []
        line = self._lines.get(names[0])
        return [0] * len(names) if line is None else [len(line), *line.lengths(names[1:])]

    def put(self, item: Item, names: Names) -> None:
        self._length += 1
        if not names:
            self._own.append(item)
            return
        line = self._lines.get(names[0])
        if line is None:
            line = self._lines[names[0]] = Turns()
        line.put(item, names[1:])

    def take(self) -> Item:
        """Take out whose turn it is.

        Raises:
            IndexError: nobody waits.
        """
        if not self._length:
            raise IndexError("nobody waits")
        self._length -= 1
        if self._own:
            # Only where lines end, or of nobody in particular.
            return self._own.popleft()
        name = next(iter(self._lines))
        line = self._lines.pop(name)
        item = line.take()
        if line:
            self._lines[name] = line
        return item
