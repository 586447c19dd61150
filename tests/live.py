"""A client of live streams: server-sent events as they come, over a socket of its own."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any, Self

PATIENCE_SECONDS = 20.0


@dataclass
class Block:
    """What stands between two empty lines."""

    id: str | None = None
    kind: str = "message"
    data: list[str] = field(default_factory=list)
    retry: str | None = None
    comments: list[str] = field(default_factory=list)

    @property
    def is_event(self) -> bool:
        return bool(self.data)

    def json(self) -> Any:
        return json.loads("\n".join(self.data))


def read_block(lines: list[str]) -> Block:
    block = Block()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            block.comments.append(value)
        elif name == "data":
            block.data.append(value)
        elif name == "id":
            block.id = value
        elif name == "event":
            block.kind = value
        else:
            assert name == "retry", line
            block.retry = value
    return block


def read_blocks(content: bytes) -> list[Block]:
    """The blocks of an answer that is all there."""
    text = content.decode()
    assert text.endswith("\n\n"), "nothing is cut off"
    return [read_block(block.split("\n")) for block in text.removesuffix("\n\n").split("\n\n")]


class LiveStream:
    """One connection that follows a stream; `last_id` is where another one would go on."""

    base = "/api/v1"

    def __init__(self, port: int, path: str, *, timeout: float = PATIENCE_SECONDS, **headers: str) -> None:
        self.client = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self.client.request("GET", f"{self.base}{path}", headers=sent)
        self.answer = self.client.getresponse()
        self.status = self.answer.status
        self.last_id: str | None = None
        self.blocks: list[Block] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self.answer.close()
        self.client.close()

    def next_block(self) -> Block | None:
        """The next block; None: it has ended."""
        lines: list[str] = []
        while True:
            try:
                line = self.answer.readline()
            except (http.client.IncompleteRead, ConnectionError):
                return None
            if not line:
                # What is not whole does not count.
                return None
            if line == b"\n":
                break
            assert line.endswith(b"\n"), line
            lines.append(line[:-1].decode())
        block = read_block(lines)
        self.blocks.append(block)
        if block.id is not None:
            self.last_id = block.id
        return block

    def next_event(self) -> Block | None:
        """The next block that is an event to an `EventSource`; None: it has ended."""
        while (block := self.next_block()) is not None:
            if block.is_event:
                return block
        return None

    def events(self, count: int) -> list[Any]:
        """The next so many messages."""
        found = [self.next_event() for _ in range(count)]
        assert all(block is not None and block.kind == "message" for block in found), found
        return [block.json() for block in found if block]


class LiveTail(LiveStream):
    """The same as a page does it."""

    base = ""
