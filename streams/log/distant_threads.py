"""Threads that wait for engines beside PostgreSQL: one that hangs holds those, and nobody who asks the database."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from accounts.database_threads import give_connection_back, in_database_thread, lends_threads
from accounts.lent_threads import LentThreads
from accounts.waits import running_loop
from streams.conf import ENGINE_THREADS, POSTGRES
from streams.errors import LogUnavailable
from streams.log.protocol import PartitionRef

Returned = TypeVar("Returned")

_PATIENCE_SECONDS: Final = 2.0
_threads: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, LentThreads]]" = WeakKeyDictionary()


async def in_log_thread(partitions: Sequence[PartitionRef], work: Callable[[], Returned]) -> Returned:
    """Do `work`, which reads these partitions and little else, where it may block.

    Raises:
        LogUnavailable: no thread came free in time.
        NoDatabaseThread: the same, of partitions in PostgreSQL.
    """
    loop = running_loop()
    engines = {epoch.engine for each in partitions for epoch in each.epochs or ()} - {POSTGRES}
    if loop is None or not lends_threads(loop) or len(engines) != 1 or not all(each.epochs for each in partitions):
        return await in_database_thread(work)
    [alias] = engines
    return await _threads_of(loop, alias).run(lambda: _work_and_give_back(work))


def _threads_of(loop: asyncio.AbstractEventLoop, alias: str) -> LentThreads:
    lent = _threads.setdefault(loop, {})
    if alias not in lent:
        lent[alias] = LentThreads(
            f"engine-{alias}",
            size=ENGINE_THREADS,
            patience_seconds=_PATIENCE_SECONDS,
            refusal=lambda: LogUnavailable(alias, "too many requests wait for it on this server"),
        )
    return lent[alias]


def _work_and_give_back(work: Callable[[], Returned]) -> Returned:
    try:
        return work()
    finally:
        give_connection_back()
