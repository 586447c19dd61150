"""Server-sent events as they are written on the wire, read from pieces that may end anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Message:
    """One block.

    Attributes:
        kind: `message` unless it says another.
        data: None of a block that only moves the place, or is a comment.
        place: from where to go on behind it, if it says so.
        retry_seconds: how long to wait before coming again, if it says so.
    """

    kind: str = "message"
    data: bytes | None = None
    place: str | None = None
    retry_seconds: float | None = None
    _lines: list[bytes] = field(default_factory=list)

    def take(self, line: bytes) -> None:
        """Take one line of the block."""
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._lines.append(value)
            self.data = b"\n".join(self._lines)
        elif name == b"event":
            self.kind = value.decode()
        elif name == b"id":
            self.place = value.decode()
        elif name == b"retry" and value.isdigit():
            self.retry_seconds = int(value) / 1000


class EventStream:
    """What one connection says. Lines end with LF or CRLF, as the server writes them, and nowhere else."""

    def __init__(self) -> None:
        self._rest = b""
        self._message = Message()

    def feed(self, piece: bytes) -> Iterator[Message]:
        """Yield the messages that end with this piece. One that is not whole when the connection ends is none."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r")  # noqa: PLW2901 - what ends it is no part of it
            if line:
                self._message.take(line)
            else:
                done, self._message = self._message, Message()
                yield done
