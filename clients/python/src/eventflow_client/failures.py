"""What a handler raises to say more than that it failed, and how that is told to the server."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .errors import EventFlowError
from .models import Event

# As much as the server keeps of one, and as much as fits into one request.
MAX_ERROR_CHARACTERS: Final = 2_000
_MAX_BODY_CHARACTERS: Final = 400_000


class TryLater(Exception):
    """Raised by a handler: the event failed, and comes again after so many seconds, whatever the group's backoff."""

    def __init__(self, text: str = "", *, delay: float) -> None:
        super().__init__(text)
        self.delay = delay


class GiveUp(Exception):
    """Raised by a handler: no further attempt is of use; the event becomes a dead letter at once."""


class SomeFailed(Exception):
    """Raised by a handler of batches: some events failed, and all others of the batch are done.

    Args:
        failed: the error of each, by its offset.
    """

    def __init__(self, failed: Mapping[int, Exception | str]) -> None:
        super().__init__(f"{len(failed)} events failed")
        self.failed = dict(failed)


class HandlerFailed(EventFlowError):
    """The consumer stopped at an event, as `on_failure="stop"` wants it. `__cause__` is what the handler raised."""

    def __init__(self, event: Event) -> None:
        super().__init__(f"The handler failed at partition {event.partition}, offset {event.offset} ({event.id}).")
        self.event = event


@dataclass(frozen=True, slots=True)
class Failure:
    """One event that failed: `error` as text, and how it goes on."""

    error: str
    cause: BaseException | None = None
    delay: float | None = None
    is_terminal: bool = False

    def as_json(self, *, most: int = MAX_ERROR_CHARACTERS) -> dict[str, Any]:
        said: dict[str, Any] = {"error": self.error[:most]}
        if self.delay is not None:
            said["delay"] = self.delay
        if self.is_terminal:
            said["terminal"] = True
        return said


def failure_of(error: BaseException | str) -> Failure:
    """Return what a handler's error says."""
    if isinstance(error, str):
        return Failure(_sendable(error))
    text = _sendable("".join(traceback.format_exception_only(error)).strip())
    if isinstance(error, TryLater):
        return Failure(_sendable(str(error)) or "TryLater", error, delay=error.delay)
    if isinstance(error, GiveUp):
        return Failure(_sendable(str(error)) or "GiveUp", error, is_terminal=True)
    return Failure(text, error)


def longest_error(count: int) -> int:
    """Return how many characters of each error fit if so many are told in one request."""
    return max(50, min(MAX_ERROR_CHARACTERS, _MAX_BODY_CHARACTERS // max(1, count)))


def _sendable(text: str) -> str:
    """The text without halves of characters and NULs, which no JSON and no log takes."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()[:MAX_ERROR_CHARACTERS]
