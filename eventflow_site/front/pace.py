"""The pace of who reads a live stream or a download: no more is made for them than they take.

The web server takes whatever it is given at once and keeps it until the client takes it, without a bound. What lies in
front of the client is known to the kernel alone, so that is asked: how much of what was sent is not acknowledged yet.
"""

import asyncio
import fcntl
import os
import socket
import struct
import termios
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from math import inf
from pathlib import Path
from typing import Final

from django.conf import settings

from eventflow_site.front import limits
from streams.metrics import count_dropped_reader
from streams.stopping import is_stopping

_OWN_DESCRIPTORS: Final = Path("/proc/self/fd")


async def at_readers_pace(
    pieces: AsyncGenerator[bytes, None], *, peer: str, sockets: "PeerSockets", most_unseen: float = limits.UNSEEN_BYTES
) -> AsyncGenerator[bytes, None]:
    """Yield the pieces as fast as the client takes them; hang up on whoever takes nothing, or too little, for too long.

    Args:
        peer: who is at the other end of the connection, `address:port`.
        most_unseen: where nobody can tell what the client has taken, it ends after so many bytes.
    """
    handed_over = unseen = 0
    async with aclosing(pieces):
        async for piece in pieces:
            for begin in range(0, len(piece), limits.HANDED_OVER_BYTES):
                part = piece[begin : begin + limits.HANDED_OVER_BYTES]
                yield part
                # Here again as soon as it was handed over.
                handed_over += len(part)
                if handed_over < limits.HANDED_OVER_BYTES:
                    continue
                found = await sockets.find(peer)
                if found is None:
                    unseen += handed_over
                    if unseen >= most_unseen:
                        return
                elif not await _is_taken(found, peer):
                    return
                handed_over = 0


async def _is_taken(number: int, peer: str) -> bool:
    """Wait until most of it was; return whether there is anybody to go on for."""
    pause, longest = limits.LOOK_SECONDS
    before, since = -1, time.monotonic()
    deadline = since + (settings.READER_SECONDS or inf)
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
        if now > min(since + limits.TAKES_NOTHING_SECONDS, deadline):
            count_dropped_reader()
            hang_up(number, peer)
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


def hang_up(number: int, peer: str) -> None:
    """Close the connection at once: an answer that merely ended would look whole, and what is left would be kept."""
    with suppress(OSError), socket.socket(fileno=os.dup(number)) as ours:
        # Of our own: the web server may close its number meanwhile, and open it again for somebody else.
        if peer_of(ours.fileno()) == peer:
            ours.shutdown(socket.SHUT_RDWR)


def not_taken(number: int) -> int | None:
    """Return how many bytes of what was sent the other end has not acknowledged; None: nobody can tell."""
    with suppress(OSError, ValueError):
        return int(struct.unpack("i", fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4)))[0])
    return None
