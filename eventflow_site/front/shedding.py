"""Refusals that cost next to nothing, for a key that goes on asking although it was refused a moment ago.

To refuse a request properly costs nearly as much as to answer one: a flood of them would slow down everybody else. So
the refusal of a key's request is repeated for as long as its bucket could hardly have got anything, before anybody has
looked at what is asked. A bucket goes on filling meanwhile, so the key loses nothing of what it may have.

And it is sent a moment later than it could be: whoever asks again as soon as they are refused asks less often then.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eventflow_site.front.exchange import Answer, Exchange
from eventflow_site.request_id import HEADER, request_id_for
from eventflow_site.transport import API_PREFIX
from streams.metrics import count_rejection

logger = logging.getLogger("eventflow.limits")
REPEAT_SECONDS: Final = 0.03
# How long a repeated refusal is held back, at least and at most: not one length, or a flood's would all go at once.
HELD_BACK_SECONDS: Final = (0.25, 0.5)
# What is held back waits in memory; beyond this a refusal goes at once.
MAX_HELD_BACK: Final = 500
# Keys whose refusals are remembered.
MAX_KEYS: Final = 1_000
_HEADER_ASKED: Final = HEADER.lower()
_SAYS_SO: Final = b'"bucket":"requests"'


@dataclass(slots=True)
class _Refusal:
    """An answer to be repeated until a moment of the monotonic clock, and how often it was.

    Attributes:
        request_id: the member of the document that names it.
    """

    answer: Answer
    request_id: bytes
    until: float
    repeated: int = 0


class Shedding:
    """Remembers who was refused just now; used on one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refusals: dict[str, _Refusal] = {}
        self._held_back = 0

    def repeat_refusal(self, exchange: Exchange) -> Answer | None:
        """Return the answer to a request of a key that is still over its limit; None: look at it."""
        if not self._refusals:
            return None
        key = _key_in(exchange)
        refusal = self._refusals.get(key) if key else None
        if refusal is None:
            return None
        if self._clock() >= refusal.until:
            del self._refusals[key]
            if refusal.repeated:
                logger.info("%d more requests of a key over its limit were refused unlooked at", refusal.repeated)
            return None
        refusal.repeated += 1
        count_rejection("rate_limited")
        given = next((value for name, value in exchange.header_items() if name == _HEADER_ASKED), "")
        request_id = request_id_for(given)
        headers = [(name, request_id if name == HEADER else value) for name, value in refusal.answer.headers]
        content = bytes(refusal.answer.content).replace(refusal.request_id, _member(request_id))  # type: ignore[arg-type]
        return Answer(refusal.answer.status, headers, content)

    async def hold_back(self) -> None:
        """Return when a repeated refusal may be sent."""
        if self._held_back >= MAX_HELD_BACK:
            return
        self._held_back += 1
        try:
            await asyncio.sleep(random.uniform(*HELD_BACK_SECONDS))  # noqa: S311 - nobody gains by guessing it
        finally:
            self._held_back -= 1

    def note_answer(self, exchange: Exchange, answer: Answer) -> None:
        """Remember an answer if it refuses a key's request for its rate."""
        if answer.status != 429 or not isinstance(answer.content, bytes) or _SAYS_SO not in answer.content:
            return
        key = _key_in(exchange)
        request_id = next((value for name, value in answer.headers if name == HEADER), "")
        if not key or not request_id:
            return
        if len(self._refusals) >= MAX_KEYS:
            self._refusals.clear()
        self._refusals[key] = _Refusal(answer, _member(request_id), self._clock() + REPEAT_SECONDS)


def _member(request_id: str) -> bytes:
    """The id as the document has it. Whoever chose it may have chosen a word that stands elsewhere in it too."""
    return b'"request_id":"%b"' % request_id.encode()


def _key_in(exchange: Exchange) -> str:
    """Return the key of a request to the API, if it has one and nothing else to go by."""
    if not exchange.path.startswith(API_PREFIX):
        return ""
    named = [(name, value) for name, value in exchange.header_items() if name in ("x-api-key", "authorization")]
    return named[0][1] if len(named) == 1 and named[0][0] == "x-api-key" else ""
