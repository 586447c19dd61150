"""PostgreSQL's protocol, as far as it tells which message commits and which one answers that. No input or output here."""

import re
import struct
from collections import deque
from typing import Final

_WRITES: Final = re.compile(rb"\b(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
_COMMITS: Final = re.compile(rb"\s*(COMMIT|END)\b", re.IGNORECASE)
_IDLE: Final = ord("I")


class Conversation:
    """One connection, seen from between its two ends.

    Each direction comes in pieces of any size; a message counts when its last byte has come. Clients that send more
    before they were answered (pipelines) are followed as far as the order of their answers.
    """

    def __init__(self) -> None:
        self._from_client, self._from_server = bytearray(), bytearray()
        self._has_begun = False
        # Prepared statements by name: what they would do.
        self._texts: dict[bytes, bytes] = {}
        self._bound: list[bytes] = []
        # Whether each request that is not answered yet commits if all goes well.
        self._asked: deque[bool] = deque()
        self._status = _IDLE
        self._has_failed = False

    def hear_client(self, piece: bytes) -> bool:
        """Take what the client sent; return whether a request that commits has been sent with it."""
        self._from_client += piece
        commits = False
        if not self._has_begun and len(self._from_client) >= 8:
            length = struct.unpack_from("!i", self._from_client)[0]
            if len(self._from_client) < length:
                return False
            del self._from_client[:length]
            self._has_begun = True
        while self._has_begun and (message := _take(self._from_client)):
            commits = self._understand(*message) or commits
        return commits

    def hear_server(self, piece: bytes) -> bool:
        """Take what the server answered; return whether it says that something has been committed."""
        self._from_server += piece
        committed = False
        while message := _take(self._from_server):
            kind, content = message
            if kind == b"E":
                self._has_failed = True
            elif kind == b"Z":
                self._status = content[0]
                asked = self._asked.popleft() if self._asked else False
                committed = committed or (asked and not self._has_failed and self._status == _IDLE)
                self._has_failed = False
        return committed

    def _understand(self, kind: bytes, content: bytes) -> bool:
        if kind == b"Q":
            return self._ask([content.rstrip(b"\0")])
        if kind == b"P":
            name, _, rest = content.partition(b"\0")
            self._texts[name] = rest.partition(b"\0")[0]
        elif kind == b"B":
            self._bound.append(self._texts.get(content.split(b"\0", 2)[1], b""))
        elif kind == b"S":
            texts, self._bound = self._bound, []
            return self._ask(texts)
        return False

    def _ask(self, texts: list[bytes]) -> bool:
        commits = any(_COMMITS.match(text) for text in texts)
        # Outside of a transaction a statement that writes commits by itself.
        if self._status == _IDLE and any(_WRITES.search(text) for text in texts):
            commits = True
        self._asked.append(commits)
        return commits


def _take(received: bytearray) -> tuple[bytes, bytes] | None:
    """Take one whole message from the front."""
    if len(received) < 5:
        return None
    length = struct.unpack_from("!i", received, 1)[0]
    if len(received) < 1 + length:
        return None
    kind, content = bytes(received[:1]), bytes(received[5 : 1 + length])
    del received[: 1 + length]
    return kind, content
