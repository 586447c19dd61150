"""One coroutine for both: it lets a loop go on, and blocks a thread that has none."""

import asyncio
import threading
import time
from functools import partial

import pytest

from accounts.database_threads import NoDatabaseThread, in_database_thread, lend_database_threads
from accounts.lent_threads import LentThreads
from accounts.waits import run_blocking


class TooBusy(Exception):
    pass


def make_threads(size: int, patience_seconds: float = 10.0) -> LentThreads:
    return LentThreads("test", size=size, patience_seconds=patience_seconds, refusal=TooBusy)


async def twice(value: int) -> int:
    return await in_database_thread(lambda: value * 2)


def test_without_a_loop_a_wait_blocks_and_the_work_is_done_here():
    here = threading.get_ident()

    async def where() -> int:
        return await in_database_thread(threading.get_ident)

    assert run_blocking(where()) == here
    assert run_blocking(twice(21)) == 42


def test_a_loop_is_never_made_to_stand_still():
    async def main() -> None:
        run_blocking(twice(1))

    with pytest.raises(RuntimeError, match="must not stand still"):
        asyncio.run(main())


def test_what_only_a_loop_brings_is_not_waited_for_in_a_thread():
    async def waits() -> None:
        await asyncio.sleep(1)

    with pytest.raises(RuntimeError):
        run_blocking(waits())


def test_work_is_done_in_other_threads_and_the_loop_goes_on():
    async def main() -> None:
        threads = make_threads(2)
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.ensure_future(tick())

        def work() -> int:
            time.sleep(0.2)
            return threading.get_ident()

        idents = await asyncio.gather(threads.run(work), threads.run(work))
        ticking.cancel()
        assert len({*idents, threading.get_ident()}) == 3
        assert ticks >= 3

    asyncio.run(main())


def test_no_more_at_once_than_there_are_threads_and_the_others_in_order():
    async def main() -> None:
        threads = make_threads(3)
        begun: list[int] = []
        at_once = most = 0
        lock = threading.Lock()

        def work(number: int) -> int:
            nonlocal at_once, most
            with lock:
                begun.append(number)
                at_once += 1
                most = max(most, at_once)
            time.sleep(0.01)
            with lock:
                at_once -= 1
            return number

        answers = await asyncio.gather(*(threads.run(partial(work, number)) for number in range(30)))
        assert answers == list(range(30))
        assert most == 3
        # Three at once may pass each other, nobody else.
        assert all(abs(place - number) < 3 for place, number in enumerate(begun))

    asyncio.run(main())


def test_who_finds_no_thread_in_time_is_refused_and_its_work_never_done():
    async def main() -> None:
        threads = make_threads(1, patience_seconds=0.05)
        end, done = threading.Event(), []
        first = asyncio.ensure_future(threads.run(end.wait))
        await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            await threads.run(lambda: done.append("second"))
        third = asyncio.ensure_future(threads.run(lambda: done.append("third")))
        await asyncio.sleep(0)
        end.set()
        assert await first
        await third
        assert done == ["third"]

    asyncio.run(main())


def test_who_goes_away_while_waiting_takes_no_thread_and_while_working_gives_it_back():
    async def main() -> None:
        threads = make_threads(1)
        end, done = threading.Event(), []
        working = asyncio.ensure_future(threads.run(end.wait))
        waiting = asyncio.ensure_future(threads.run(lambda: done.append("gone")))
        last = asyncio.ensure_future(threads.run(lambda: done.append("last")))
        await asyncio.sleep(0)
        working.cancel()
        waiting.cancel()
        end.set()
        await last
        assert done == ["last"]

    asyncio.run(main())


def test_an_error_reaches_who_waits_and_leaves_the_thread_to_the_next():
    async def main() -> None:
        threads = make_threads(1)
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 / 0)
        assert await threads.run(lambda: 7) == 7

    asyncio.run(main())


def test_a_database_thread_that_does_not_come_is_a_connection_that_does_not_come(monkeypatch):
    monkeypatch.setattr("accounts.database_threads.PATIENCE_SECONDS", 0.05)

    async def main() -> None:
        lend_database_threads(1)
        end = threading.Event()
        first = asyncio.ensure_future(in_database_thread(end.wait))
        await asyncio.sleep(0)
        with pytest.raises(NoDatabaseThread):
            await in_database_thread(lambda: None)
        end.set()
        await first

    asyncio.run(main())
