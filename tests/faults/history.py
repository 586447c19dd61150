"""What happened in a run: each request and each fault, by one monotonic clock, kept as JSON lines."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson

from tests.faults.contract import UNKNOWN
from tests.faults.world import World


@dataclass(slots=True)
class Request:
    """One request and what became of it.

    Attributes:
        begun: when its first byte was about to be sent, `ended` when its outcome was known; seconds.
        sent: what of it the checker needs, `got` what of its answer; their shapes are `tests/faults/ask.py`'s.
        status: None where no answer came.
    """

    id: int
    actor: str
    kind: str
    begun: float
    ended: float
    stream: str = ""
    group: str = ""
    sent: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    outcome: str = UNKNOWN
    got: dict[str, Any] = field(default_factory=dict)
    request_id: str = ""

    @property
    def vanished(self) -> str:
        """In what its client was when it left (`body`, `answer`, `wait`), or nothing."""
        return self.sent["vanish"][0] if "vanish" in self.sent else ""


@dataclass(slots=True)
class Fault:
    """Something that was broken on purpose.

    Attributes:
        ended: when it was undone; the same as `begun` where it strikes once.
        back: when an append that was sent afterwards had been stored; None where nobody looked.
    """

    kind: str
    target: str
    begun: float
    ended: float
    back: float | None = None


@dataclass(slots=True)
class Mark:
    """A moment of the run: an act by its name, `settled`, `stopping`, `stopped`, `started`."""

    name: str
    at: float
    note: str = ""


@dataclass(slots=True)
class Clock:
    """What the database's clock said at a moment of ours: seconds since 1970."""

    at: float
    wall: float


@dataclass(slots=True)
class LeaseRow:
    """How a lease ended, by the server's own record; there is none for a plain first ack. Times are the server's."""

    group: str
    partition: int
    round: int
    first: int
    last: int
    outcome: str
    count: int
    consumer: str
    leased_at: float | None
    ended_at: float


Record = Request | Fault | Mark | Clock | LeaseRow | World
_KINDS: dict[str, type[Any]] = {each.__name__: each for each in (Request, Fault, Mark, Clock, LeaseRow, World)}


class Keeper(Protocol):
    """Whoever takes down what happens."""

    def add(self, record: Record) -> None: ...


class History:
    """All that happened, sorted by when it was over."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.records: list[Record] = list(records)

    def add(self, record: Record) -> None:
        self.records.append(record)

    def all(self, kind: type[Any]) -> list[Any]:
        return [record for record in self.records if type(record) is kind]

    @property
    def world(self) -> World:
        (world,) = self.all(World)
        return world


class HistoryFile:
    """A history that is written while it happens; safe for threads."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._lock = threading.Lock()

    def add(self, record: Record) -> None:
        line = b'["%b",' % type(record).__name__.encode() + orjson.dumps(record) + b"]\n"
        with self._lock:
            self._file.write(line)

    def flush(self) -> None:
        with self._lock:
            self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()


def load(path: Path) -> History:
    """Read a history that was kept, or as much as there is of one that is being written."""
    history = History()
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            name, fields = orjson.loads(line)
            kind = _KINDS[name]
            history.add(World.of(fields) if kind is World else kind(**fields))
    return history
