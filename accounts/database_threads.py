"""Asking the database from an event loop: in a thread, never on the loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import connection, connections
from psycopg_pool import PoolTimeout

from accounts.lent_threads import LentThreads
from accounts.waits import running_loop

Returned = TypeVar("Returned")

# As long as one waits for a connection of the pool.
PATIENCE_SECONDS = 2.0

_threads: "WeakKeyDictionary[asyncio.AbstractEventLoop, LentThreads]" = WeakKeyDictionary()


class NoDatabaseThread(PoolTimeout):
    """None came free in time: as if there had been no connection, so nothing was done."""


def lend_database_threads(size: int, *, check_line: Callable[[list[int]], None] | None = None) -> LentThreads:
    """Give the running loop threads to ask the database with, one for each connection that it may have.

    Args:
        check_line: may refuse a caller who has many requests waiting for one already.
    """
    threads = LentThreads(
        "database",
        size=size,
        patience_seconds=PATIENCE_SECONDS,
        refusal=lambda: NoDatabaseThread("no thread came free to ask the database with"),
        check_line=check_line,
    )
    _threads[asyncio.get_running_loop()] = threads
    return threads


def lends_threads(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop was given threads: that of a web worker, and not one that lives for a single request."""
    return loop in _threads


async def in_database_thread(work: Callable[[], Returned]) -> Returned:
    """Do `work`, which asks the database, where it may block.

    On a loop that was lent no threads (another server's, a test's) it goes where Django sends such work; without a
    loop it is simply called.

    Raises:
        NoDatabaseThread: no thread came free in time; the work was not begun.
    """
    loop = running_loop()
    if loop is None:
        return work()
    threads = _threads.get(loop)
    if threads is None:
        return await sync_to_async(work)()
    return await threads.run(lambda: _work_and_give_back(work))


async def let_go_of_connection() -> None:
    """Hold no database connection from here on, before a wait that may be long; lent threads hold none anyway."""
    loop = running_loop()
    if loop is None or loop not in _threads:
        await in_database_thread(_close)


def _close() -> None:
    connection.close()


def _work_and_give_back(work: Callable[[], Returned]) -> Returned:
    try:
        return work()
    finally:
        give_connection_back()


def give_connection_back() -> None:
    """Do what Django does at the end of a request, for a thread that asked the database."""
    for each in connections.all(initialized_only=True):
        if each.connection is not None:
            each.close_if_unusable_or_obsolete()
