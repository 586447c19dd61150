"""Bodies on their way: none is waited for beyond reason, nor too many, nor too much of them at once.

Whoever sends slowly takes memory and a connection, and nothing else. Bounds are kept for each sender, and apart for
those who have not proved who they are: where all have too many under way, the one that has been under way for longest
goes, so that a newcomer always finds room.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from accounts.errors import BodyTooSlow, TooManySlowBodies
from eventflow_site.front import limits

_SLOW: Final = "The body did not come within the time that one is waited for. Nothing was stored."
_MANY: Final = "Too many requests were begun whose bodies do not come. End those, then retry."
_MUCH: Final = "Too much of too many bodies is under way at once. Nothing was stored; retry."


class Sender(NamedTuple):
    """Whose body it is: a caller's reference, or the address of somebody who has proved nothing."""

    name: str
    is_proven: bool


class _Body:
    """One body on its way; times are monotonic."""

    __slots__ = ("began_at", "is_too_slow", "progressed_at", "received", "task")

    def __init__(self, now: float) -> None:
        self.began_at = self.progressed_at = now
        self.received = 0
        self.is_too_slow = False
        self.task = asyncio.current_task()

    def dawdles(self, now: float) -> bool:
        """Whether it has paused for too long, takes too long, or trickles."""
        under_way = now - self.began_at
        return (
            now - self.progressed_at > limits.BODY_PAUSE_SECONDS
            or under_way > limits.BODY_SECONDS
            or self.received < (under_way - limits.BODY_PAUSE_SECONDS) * limits.BODY_BYTES_PER_SECOND
        )

    def is_slow(self, now: float) -> bool:
        return now - self.began_at > limits.SLOW_BODY_SECONDS

    def send_away(self) -> None:
        """End its collection where it waits."""
        if self.task is not None and not self.is_too_slow:
            self.is_too_slow = True
            self.task.cancel()


@dataclass(slots=True)
class _Side:
    """The bodies of those who have proved who they are, or of those who have not: each in order of arrival."""

    max_slow: int
    max_bytes: int
    max_bytes_each: int
    bodies: dict[_Body, None] = field(default_factory=dict)
    by_sender: dict[str, dict[_Body, None]] = field(default_factory=dict)
    received: int = 0

    def add(self, body: _Body, sender: str) -> None:
        theirs = self.by_sender.setdefault(sender, {})
        now = body.began_at
        if len(theirs) >= limits.MAX_SLOW_BODIES_EACH and _is_slow_at(theirs, limits.MAX_SLOW_BODIES_EACH, now):
            raise TooManySlowBodies(_MANY)
        if len(self.bodies) >= self.max_slow and _is_slow_at(self.bodies, self.max_slow, now):
            oldest = next((each for each in self.bodies if not each.is_too_slow), None)
            if oldest is not None:
                oldest.send_away()
        theirs[body] = self.bodies[body] = None

    def remove(self, body: _Body, sender: str) -> None:
        del self.bodies[body]
        self.received -= body.received
        theirs = self.by_sender[sender]
        del theirs[body]
        if not theirs:
            del self.by_sender[sender]

    def receive(self, body: _Body, sender: str, size: int) -> None:
        body.received += size
        self.received += size
        if self.received <= min(self.max_bytes, self.max_bytes_each):
            return
        if sum(each.received for each in self.by_sender[sender]) > self.max_bytes_each:
            raise TooManySlowBodies(_MUCH)
        if self.received > self.max_bytes:
            oldest = next(iter(self.bodies))
            if oldest is body or not oldest.is_slow(time.monotonic()):
                raise TooManySlowBodies(_MUCH)
            oldest.send_away()


def _is_slow_at(bodies: dict[_Body, None], number: int, now: float) -> bool:
    """Whether so many of them, and so the `number`th oldest, are slow."""
    return next(islice(bodies, number - 1, None)).is_slow(now)


class Bodies:
    """Collects the bodies of one event loop."""

    def __init__(self) -> None:
        self._proven = _Side(limits.MAX_SLOW_BODIES, limits.MAX_BODY_BYTES_ALL, limits.MAX_BODY_BYTES_EACH)
        self._unproven = _Side(
            limits.MAX_UNPROVEN_SLOW_BODIES, limits.MAX_UNPROVEN_BODY_BYTES_ALL, limits.MAX_UNPROVEN_BODY_BYTES_EACH
        )
        self._sweeper: asyncio.TimerHandle | None = None

    async def collect(self, pieces: AsyncIterator[bytes], *, declared: int | None, limit: int, sender: Sender) -> bytes:
        """Return a body as far as it comes, at most a little more than `limit`.

        Args:
            declared: how long it should be, if that was said; it ends there.

        Raises:
            BodyTooSlow, TooManySlowBodies
        """
        if declared == 0:
            return b""
        side = self._proven if sender.is_proven else self._unproven
        body = _Body(time.monotonic())
        side.add(body, sender.name)
        if self._sweeper is None:
            self._sweep()
        try:
            whole = b""
            received: list[bytes] = []
            # One that is said to be so long ends there: nobody waits for the end of it.
            while body.received != declared and body.received <= limit:
                try:
                    piece = await anext(pieces)
                except StopAsyncIteration:
                    break
                if piece:
                    side.receive(body, sender.name, len(piece))
                    received.append(piece)
                    body.progressed_at = time.monotonic()
            whole = received[0] if len(received) == 1 else b"".join(received)
        except asyncio.CancelledError:
            if not body.is_too_slow:
                raise
        finally:
            side.remove(body, sender.name)
        if body.is_too_slow:
            if body.task is not None:
                body.task.uncancel()
            raise BodyTooSlow(_SLOW)
        return whole

    def _sweep(self) -> None:
        """Send away those who dawdle, now and again while there are any bodies on their way."""
        now = time.monotonic()
        for side in (self._proven, self._unproven):
            for body in [body for body in side.bodies if body.dawdles(now)]:
                body.send_away()
        is_any = self._proven.bodies or self._unproven.bodies
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(limits.SWEEP_SECONDS, self._sweep) if is_any else None
