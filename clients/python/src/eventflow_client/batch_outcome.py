"""What became of the events of one batch."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from .errors import EventFlowError
from .models import Appended


class _Answer(msgspec.Struct):
    events: list[Appended]


_decoder = msgspec.json.Decoder(_Answer)
Told = Appended | EventFlowError


class BatchOutcome:
    """Known for all events of the batch at once. An answer is read when somebody asks: most never do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answer: bytes | None = None
        self._told: Sequence[Told] | None = None
        self._callbacks: list[Callable[[], Any]] | None = []

    @property
    def is_known(self) -> bool:
        return self._callbacks is None

    def be_stored(self, answer: bytes) -> None:
        """All of them are stored, as the answer to the one request says."""
        self._answer = answer
        self._tell()

    def be_told(self, told: Sequence[Told]) -> None:
        """Each of them is stored, or failed by itself."""
        self._told = told
        self._tell()

    def of(self, index: int) -> Told:
        """What became of one of them, once it is known."""
        with self._lock:
            if self._told is None:
                assert self._answer is not None
                self._told = _decoder.decode(self._answer).events
                self._answer = None
            return self._told[index]

    def when_known(self, callback: Callable[[], Any]) -> None:
        """Call when it is known, at once if it is already; from the thread that sends."""
        with self._lock:
            if self._callbacks is not None:
                self._callbacks.append(callback)
                return
        callback()

    def _tell(self) -> None:
        with self._lock:
            callbacks, self._callbacks = self._callbacks or [], None
        for callback in callbacks:
            callback()


def read_appended(answer: bytes) -> list[Appended]:
    """Return where the events of a request went."""
    return _decoder.decode(answer).events
