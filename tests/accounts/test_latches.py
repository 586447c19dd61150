"""Latches: who waits goes on when it is opened, and a loop is woken once for all of its own."""

import asyncio
import threading
import time

import pytest

from accounts.latches import LoopLatch, ThreadLatch, open_all


def test_a_thread_goes_on_when_its_latch_is_opened():
    latch = ThreadLatch()
    assert not latch.wait(0.01)
    threading.Timer(0.05, lambda: open_all([latch])).start()
    assert latch.wait(10)
    assert not latch.wait(0.01), "it closes behind who went through"


def test_a_coroutine_goes_on_when_its_latch_is_opened_from_another_thread():
    async def main() -> None:
        latch = LoopLatch()
        assert not await latch.wait(0.01)
        threading.Timer(0.05, lambda: open_all([latch])).start()
        assert await latch.wait(10)
        assert not await latch.wait(0.01), "it closes behind who went through"

    asyncio.run(main())


def test_a_latch_that_was_opened_before_the_wait_is_open():
    async def main() -> None:
        latch = LoopLatch()
        open_all([latch])
        await asyncio.sleep(0.05)
        started = time.monotonic()
        assert await latch.wait(10)
        assert time.monotonic() - started < 5

    asyncio.run(main())


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time_is_no_wait(seconds):
    async def main() -> None:
        assert not await LoopLatch().wait(seconds)

    assert not ThreadLatch().wait(seconds)
    asyncio.run(main())


def test_opening_twice_is_harmless():
    latch = ThreadLatch()
    open_all([latch, latch])
    open_all([latch])
    assert latch.wait(0)
    assert not latch.wait(0)


def test_a_loop_is_woken_once_for_all_of_its_own():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        latches = [LoopLatch() for _ in range(100)]
        waiting = [asyncio.ensure_future(latch.wait(10)) for latch in latches]
        await asyncio.sleep(0)
        calls = []
        wake = loop.call_soon_threadsafe

        def count(*arguments, **options):
            calls.append(arguments)
            return wake(*arguments, **options)

        loop.call_soon_threadsafe = count  # type: ignore[method-assign,assignment]
        open_all([*latches, ThreadLatch()])
        assert await asyncio.gather(*waiting) == [True] * 100
        assert len(calls) == 1

    asyncio.run(main())


def test_a_loop_that_is_gone_is_passed_by():
    async def main() -> LoopLatch:
        return LoopLatch()

    gone, thread = asyncio.run(main()), ThreadLatch()
    open_all([gone, thread])
    assert thread.wait(0)
