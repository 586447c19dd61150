"""The network between EventFlow and PostgreSQL, as a process of its own: it forwards, until it is told to break.

`python -m tests.faults.live.network LISTEN TARGET`, both paths of Unix sockets. Commands are lines on its input:

    cut                       cut every connection
    down SECONDS              cut every connection, and refuse new ones for so long
    unanswered N SECONDS      let N commits pass, then cut one after it was carried out, before its answer
    undelivered N SECONDS     the same, before it arrives

The last two give up after so many seconds. Each strike is a line on its output: kind, when (monotonic seconds).
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.live.postgres_wire import Conversation

_PIECE = 1 << 16
_KINDS = {"unanswered": "commit_unanswered", "undelivered": "commit_undelivered"}


class Network:
    def __init__(self, listen: str, target: str) -> None:
        self._listen, self._target = listen, target
        self._ends: set[asyncio.StreamWriter] = set()
        self._down_until = 0.0
        # What strikes next: after how many commits, and until when.
        self._armed: dict[str, tuple[int, float]] = {}

    async def run(self) -> None:
        Path(self._listen).unlink(missing_ok=True)
        async with await asyncio.start_unix_server(self._accept, self._listen):
            Path(self._listen).chmod(0o777)
            _tell("listening")
            await self._obey()

    async def _obey(self) -> None:
        """Follow commands until the input ends: whoever started this is gone."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            word, *numbers = line.decode().split()
            if word == "down":
                self._down_until = time.monotonic() + float(numbers[0])
            if word in ("cut", "down"):
                self._cut()
            else:
                self._armed[word] = (int(numbers[0]), time.monotonic() + float(numbers[1]))

    def _cut(self) -> None:
        for end in list(self._ends):
            end.transport.abort()

    async def _accept(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if time.monotonic() < self._down_until:
            client.transport.abort()
            return
        try:
            server_reader, server = await asyncio.open_unix_connection(self._target)
        except OSError:
            client.transport.abort()
            return
        talk = Conversation()
        self._ends |= {client, server}
        ways = [
            asyncio.create_task(self._forward(client_reader, server, talk.hear_client, "undelivered")),
            asyncio.create_task(self._forward(server_reader, client, talk.hear_server, "unanswered")),
        ]
        # When one end has gone, so has the other.
        _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in left:
            way.cancel()
        self._ends -= {client, server}
        for end in (client, server):
            end.transport.abort()

    async def _forward(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, hear: Callable[[bytes], bool], strike: str
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(_PIECE):
                if hear(piece) and self._strikes(strike):
                    return
                to.write(piece)
                await to.drain()

    def _strikes(self, what: str) -> bool:
        if what not in self._armed:
            return False
        left, until = self._armed.pop(what)
        if time.monotonic() > until:
            return False
        if left:
            self._armed[what] = (left - 1, until)
            return False
        _tell(_KINDS[what])
        return True


def _tell(word: str) -> None:
    sys.stdout.write(f"{word} {time.monotonic()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(Network(*sys.argv[1:]).run())
