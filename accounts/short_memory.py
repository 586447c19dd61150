"""Answers that are remembered for less than a second, so that a hot path asks the database seldom.

Of all who want an answer that is not there, one asks, and the others wait for what it is told. If each asked, the
answers to a crowd would come later than they may be remembered, and all would ask again, for as long as they are
so many. A remembered answer is renewed a little before its time is up, while the others go on with the old one; on an
event loop nobody has to wait for that.
"""

import asyncio
import copy
import os
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Generic, TypeVar

from django.db import connection
from psycopg_pool import PoolTimeout

from accounts.conf import LOOK_UP_PATIENCE_SECONDS
from accounts.database_threads import in_database_thread
from accounts.errors import DomainError
from accounts.latches import LoopLatch, open_all
from accounts.waits import running_loop

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class AnswerMissing(PoolTimeout):
    """The one who asked for all got no answer, or not in time: as if there had been no connection to ask with."""


class _Entry(Generic[Answer]):
    """A remembered answer; times are monotonic and count from when it was asked for."""

    __slots__ = ("answer", "expires_at", "renew_at")

    def __init__(self, answer: Answer, renew_at: float, expires_at: float) -> None:
        self.answer = answer
        self.renew_at = renew_at
        self.expires_at = expires_at


class _Question(Generic[Answer]):
    """A question that somebody asks now. Its answer is a future: a thread can wait for it, and so can a coroutine.

    Attributes:
        next: where those wait for whom its refusal came too early.
    """

    __slots__ = ("_latches", "asked_at", "future", "next")

    def __init__(self, asked_at: float) -> None:
        self.asked_at = asked_at
        self._latches: list[LoopLatch] = []
        self.future: Future[Answer] = Future()
        self.next: _Question[Answer] | None = None

    def fail(self, error: BaseException) -> None:
        """Tell those who wait that there is no answer, or a refusal, unless they were told already."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)

    def wait(self, seconds: float) -> DomainError | None:
        """Wait for the answer; return the refusal, if it is one.

        Raises:
            AnswerMissing: whoever asked has failed, or is not told anything either.
        """
        with suppress(TimeoutError):
            self.future.exception(max(0.0, seconds))
        return self._refusal()

    async def wait_async(self, seconds: float) -> DomainError | None:
        """Do what `wait` does, and let the event loop go on meanwhile; it is woken once for all who wait."""
        latch = LoopLatch()
        self._latches.append(latch)
        if len(self._latches) == 1:
            self.future.add_done_callback(lambda _: open_all(self._latches))
        elif self.future.done():
            # It may have opened the others before this one was there.
            latch.open()
        await latch.wait(seconds)
        return self._refusal()

    def _refusal(self) -> DomainError | None:
        if not self.future.done():
            raise AnswerMissing("a look-up was not answered in time")
        error = self.future.exception()
        if error is None or isinstance(error, DomainError):
            return error
        raise AnswerMissing(*error.args)


class ShortMemory(Generic[Key, Answer]):
    """Remembers answers by key, each for at most `seconds` from the moment the question was asked.

    Nobody is told what was asked for more than `seconds` before they came. Who waits for an answer gets it however
    long it takes: it was not too old when they came.

    Args:
        size: how many answers are kept; beyond that all are forgotten.
        patience_seconds: how long to wait for somebody else's question.
    """

    def __init__(self, *, seconds: float, size: int, patience_seconds: float = LOOK_UP_PATIENCE_SECONDS) -> None:
        self._seconds = seconds
        self._size = size
        self._patience_seconds = patience_seconds
        self._start_anew()
        os.register_at_fork(after_in_child=self._start_anew)

    def _start_anew(self) -> None:
        """Forget everything: in a forked child nobody asks what was being asked, and nobody opens a closed lock."""
        # For a moment only, never while asking or waiting.
        self._lock = threading.Lock()
        self._entries: dict[Key, _Entry[Answer]] = {}
        self._questions: dict[Key, _Question[Answer]] = {}
        self._renewals: set[asyncio.Future[None]] = set()

    def get(self, key: Key, ask: Callable[[], Answer]) -> Answer:
        """Return the answer for `key`, by `ask` if none is remembered.

        What `ask` raises is not remembered. A refusal (a DomainError) is an answer, and goes to all who came before
        it was asked for; of those who came while it was, one asks once more, since what they want may have been made
        in the meantime. Any other error is the asker's own, and those who wait are told at once that there is no
        answer: if they tried in turn, each would take as long to fail, and the last would wait for all of them.

        Raises:
            AnswerMissing: somebody else asked and has no answer.
        """
        came_at = time.monotonic()
        entry = self._entries.get(key)
        if entry is not None and came_at < entry.renew_at:
            return entry.answer
        refused: _Question[Answer] | None = None
        while True:
            found, is_mine = self._look(key, refused)
            if isinstance(found, _Entry):
                return found.answer
            if is_mine:
                return self._ask(key, found, ask)
            if connection.in_atomic_block:
                # Who asks may need a connection, and this one cannot be let go of.
                return ask()
            connection.close()
            refusal = found.wait(came_at + self._patience_seconds - time.monotonic())
            if refusal is None:
                return found.future.result()
            if found.asked_at >= came_at:
                raise copy.copy(refusal)
            refused = found

    async def get_async(self, key: Key, ask: Callable[[], Answer]) -> Answer:
        """Do what `get` does, and let the event loop go on meanwhile; without a loop, block like it.

        Who finds an answer that is to be renewed has it asked for beside them, and goes on with the old one: else one
        in so many requests would be slower by a look-up, and these are the slowest of all.

        Raises:
            NoDatabaseThread: there was nobody to ask with.
        """
        came_at = time.monotonic()
        entry = self._entries.get(key)
        if entry is not None and came_at < entry.renew_at:
            return entry.answer
        if running_loop() is None:
            return self.get(key, ask)
        refused: _Question[Answer] | None = None
        while True:
            found, is_mine = self._look(key, refused)
            if isinstance(found, _Entry):
                return found.answer
            if is_mine:
                if (old := self._entries.get(key)) is not None and came_at < old.expires_at:
                    self._renew_beside(key, found, ask)
                    return old.answer
                return await self._ask_async(key, found, ask)
            refusal = await found.wait_async(came_at + self._patience_seconds - time.monotonic())
            if refusal is None:
                return found.future.result()
            if found.asked_at >= came_at:
                raise copy.copy(refusal)
            refused = found

    def peek(self, key: Key) -> Answer | None:
        """Return the answer for `key` if one is remembered, and ask nobody."""
        entry = self._entries.get(key)
        return entry.answer if entry is not None and time.monotonic() < entry.expires_at else None

    def forget(self) -> None:
        """Drop every answer: something was changed in this process, and counts here at once.

        What is being asked at this moment still goes to those who wait for it, and to nobody who comes later.
        """
        with self._lock:
            self._entries = {}
            self._questions = {}

    # None of these waits: a thread may call them, and an event loop as well.

    def _look(self, key: Key, refused: _Question[Answer] | None) -> tuple[_Entry[Answer] | _Question[Answer], bool]:
        """Return what is remembered, or the question to wait for; and whether it is the caller who has to ask it."""
        with self._lock:
            if refused is not None and refused.next is not None:
                return refused.next, False
            found, is_mine = self._find(key, time.monotonic())
            if refused is not None and isinstance(found, _Question):
                refused.next = found
            return found, is_mine

    def _find(self, key: Key, now: float) -> tuple[_Entry[Answer] | _Question[Answer], bool]:
        entry = self._entries.get(key)
        question = self._questions.get(key)
        if entry is not None and now < (entry.renew_at if question is None else entry.expires_at):
            return entry, False
        # An asker who is stuck is passed over, by one caller in so many seconds.
        if question is not None and now - question.asked_at < self._seconds:
            return question, False
        question = self._questions[key] = _Question(now)
        return question, True

    def _renew_beside(self, key: Key, question: _Question[Answer], ask: Callable[[], Answer]) -> None:
        renewal = asyncio.ensure_future(self._renew(key, question, ask))
        # A loop keeps no hold of its tasks.
        self._renewals.add(renewal)
        renewal.add_done_callback(self._renewals.discard)

    async def _renew(self, key: Key, question: _Question[Answer], ask: Callable[[], Answer]) -> None:
        # Without an answer, the next who comes asks for themselves and is told why.
        with suppress(Exception):
            await self._ask_async(key, question, ask)

    async def _ask_async(self, key: Key, question: _Question[Answer], ask: Callable[[], Answer]) -> Answer:
        is_begun = False

        def begin() -> Answer:
            nonlocal is_begun
            is_begun = True
            return self._ask(key, question, ask)

        try:
            return await in_database_thread(begin)
        except BaseException:
            if not is_begun:
                # No thread came free, or the one who asked for all is gone: the others must not wait for nobody.
                with self._lock:
                    self._is_current(key, question)
                question.fail(AnswerMissing("a look-up was not begun"))
            raise

    def _ask(self, key: Key, question: _Question[Answer], ask: Callable[[], Answer]) -> Answer:
        try:
            answer = ask()
        except BaseException as error:
            with self._lock:
                if self._is_current(key, question):
                    self._entries.pop(key, None)
            is_refusal = isinstance(error, DomainError)
            question.fail(copy.copy(error) if is_refusal else AnswerMissing("a look-up has failed"))
            raise
        with self._lock:
            if self._is_current(key, question):
                if len(self._entries) >= self._size:
                    self._entries = {}
                asked_at = question.asked_at
                self._entries[key] = _Entry(answer, asked_at + self._seconds / 2, asked_at + self._seconds)
        with suppress(InvalidStateError):
            question.future.set_result(answer)
        return answer

    def _is_current(self, key: Key, question: _Question[Answer]) -> bool:
        """End a question; return whether it still counts: not if it was forgotten, or passed over by a later one."""
        if self._questions.get(key) is not question:
            return False
        del self._questions[key]
        return True
