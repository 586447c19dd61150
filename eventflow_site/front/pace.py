"""The pace of who reads a live stream: no more is made for them than they take.

The web server takes whatever it is given at once and keeps it until the client takes it, without a bound. What lies in
front of the client is known to the kernel alone, so that is asked: how much of what was sent is not acknowledged yet.
"""

import asyncio
import fcntl
import socket
import struct
import termios
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

from eventflow_site.front import limits
from streams.metrics import count_dropped_reader
from streams.stopping import is_stopping

_OWN_DESCRIPTORS: Final = Path("/proc/self/fd")


async def at_readers_pace(
    pieces: AsyncGenerator[bytes, None], *, peer: str, sockets: "PeerSockets"
) -> AsyncGenerator[bytes, None]:
    """Yield the pieces as fast as the client takes them; end with whoever takes nothing for too long.

    Args:
        peer: who is at the other end of the connection, `address:port`.
    """
    handed_over = unseen = 0
    async with aclosing(pieces):
        async for piece in pieces:
            yield piece
            # Here again as soon as it was handed over.
            handed_over += len(piece)
            if handed_over < limits.HANDED_OVER_BYTES:
                continue
            handed_over, unseen = 0, unseen + handed_over
            found = await sockets.find(peer)
            if found is None:
                if unseen >= limits.UNSEEN_BYTES:
                    return
            elif not await _is_taken(found, peer):
                return


async def _is_taken(number: int, peer: str) -> bool:
    """Wait until most of it was; return whether there is anybody to go on for."""
    pause, longest = limits.LOOK_SECONDS
    before, since = -1, time.monotonic()
    while not is_stopping():
        # The server writes it meanwhile.
        await asyncio.sleep(pause)
        left = not_taken(number) if peer_of(number) == peer else None
        if left is None:
            return False
        if left <= limits.NOT_TAKEN_BYTES:
            return True
        now = time.monotonic()
        if left != before:
            before, since = left, now
        elif now - since > limits.TAKES_NOTHING_SECONDS:
            count_dropped_reader()
            return False
        pause = min(2 * pause, longest)
    return False


class PeerSockets:
    """The sockets of this process by who is at their other end; used on one event loop."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._looked_at = -limits.PEERS_SECONDS
        self._looking: asyncio.Task[None] | None = None

    async def find(self, peer: str) -> int | None:
        """Return the descriptor of the socket that leads to `peer`; None: nobody can tell."""
        number = self._numbers.get(peer)
        if number is None or peer_of(number) != peer:
            if time.monotonic() - self._looked_at >= limits.PEERS_SECONDS:
                await self._look()
            number = self._numbers.get(peer)
        return number if number is not None and peer_of(number) == peer else None

    async def _look(self) -> None:
        """Look at all of them, once for everybody who wants one."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_now())
        await asyncio.shield(self._looking)

    async def _look_now(self) -> None:
        try:
            self._numbers = await asyncio.to_thread(_numbers_by_peer)
        finally:
            self._looked_at = time.monotonic()
            self._looking = None


def _numbers_by_peer() -> dict[str, int]:
    if not _OWN_DESCRIPTORS.is_dir():
        return {}
    numbers = [int(each.name) for each in _OWN_DESCRIPTORS.iterdir()]
    return {peer: number for number in numbers if (peer := peer_of(number))}


def peer_of(number: int) -> str:
    """Return who is at the other end of a descriptor, `address:port`; nothing where it is no such socket (any more)."""
    with suppress(OSError, ValueError):
        borrowed = socket.socket(fileno=number)
        try:
            address = borrowed.getpeername()
        finally:
            # It belongs to the web server.
            borrowed.detach()
        if isinstance(address, tuple):
            return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
    return ""


def not_taken(number: int) -> int | None:
    """Return how many bytes of what was sent the other end has not acknowledged; None: nobody can tell."""
    with suppress(OSError, ValueError):
        return int(struct.unpack("i", fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4)))[0])
    return None
