"""Server-sent events: how they are written, and an answer that goes on with them until one side ends it."""

from collections.abc import AsyncGenerator, Callable
from typing import Final

from django.http import StreamingHttpResponse

EVENT_STREAM: Final = "text/event-stream"
# Nothing on the way keeps it; nginx would hold back what comes until it has more.
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
HEARTBEAT: Final = b":\n\n"


def write_event(data: bytes, *, event_id: str | None = None, kind: bytes = b"") -> bytes:
    """Return an event whose data is JSON on one line.

    Args:
        event_id: with which the client asks for what follows.
        kind: what kind of event it is to an `EventSource`; without one it is a message.
    """
    if b"\r" in data:
        # It would end the line. In JSON it can only stand between values, where a space means the same.
        data = data.replace(b"\r", b" ")
    return b"%b%bdata: %b\n\n" % (
        b"" if event_id is None else b"id: %b\n" % event_id.encode(),
        b"event: %b\n" % kind if kind else b"",
        data,
    )


def write_place(event_id: str) -> bytes:
    """Return what moves the place from which the client goes on, without being an event to it."""
    return b"id: %b\n\n" % event_id.encode()


def write_retry(milliseconds: int) -> bytes:
    """Return what says how long to wait before coming again."""
    return b"retry: %d\n" % milliseconds


class EventStreamResponse(StreamingHttpResponse):
    """An answer whose pieces are written as they come, for a door that can notice when the client hangs up.

    Args:
        pieces: each is written at once.
        at_end: called when it is over, however that came.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], *, at_end: Callable[[], None]) -> None:
        super().__init__(pieces, content_type=EVENT_STREAM, headers=HEADERS)
        self.pieces = pieces
        self._at_end = [at_end]

    def call_at_end(self, callback: Callable[[], None]) -> None:
        self._at_end.append(callback)

    def close(self) -> None:
        # Not what Django does besides: its signal is for threads that hold a connection to the database.
        callbacks, self._at_end = self._at_end, []
        for callback in callbacks:
            callback()
