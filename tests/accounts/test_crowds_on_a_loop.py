"""The same crowd as coroutines: one asks in a thread, the others wait on the loop for what it is told."""

import asyncio
import threading

import pytest

from accounts.database_threads import NoDatabaseThread, lend_database_threads
from accounts.errors import InvalidCredentials
from accounts.short_memory import AnswerMissing, ShortMemory

CROWD = 500


class Slow:
    """Answers only when told to, and counts who asked."""

    def __init__(self, answer: object = "answer") -> None:
        self.answer, self.asked, self.may_answer = answer, 0, threading.Event()

    def __call__(self) -> object:
        self.asked += 1
        assert self.may_answer.wait(20), "never answered"
        if isinstance(self.answer, BaseException):
            raise type(self.answer)
        return self.answer


def make_memory(patience_seconds: float = 20) -> ShortMemory[str, object]:
    return ShortMemory(seconds=20, size=10, patience_seconds=patience_seconds)


def run(crowd: int, slow: Slow, memory: ShortMemory[str, object]) -> list[object]:
    async def main() -> list[object]:
        lend_database_threads(2)
        waiting = [asyncio.ensure_future(memory.get_async("key", slow)) for _ in range(crowd)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)
        slow.may_answer.set()
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    return asyncio.run(main())


def test_one_asks_and_all_are_told():
    slow = Slow()
    assert run(CROWD, slow, make_memory()) == ["answer"] * CROWD
    assert slow.asked == 1


def test_a_refusal_is_told_to_all_who_came_before_it_was_asked_for_and_one_of_the_others_asks_again():
    slow = Slow(InvalidCredentials())
    told = run(CROWD, slow, make_memory())
    assert {type(each) for each in told} == {InvalidCredentials}
    assert len({id(each) for each in told}) == CROWD, "each has its own"
    assert slow.asked == 2


def test_a_failure_is_the_askers_own_and_nobody_asks_in_turn():
    slow = Slow(ZeroDivisionError())
    told = run(CROWD, slow, make_memory())
    assert [type(each) for each in told] == [ZeroDivisionError] + [AnswerMissing] * (CROWD - 1)
    assert slow.asked == 1


def test_who_waits_for_too_long_goes_without():
    slow, memory = Slow(), make_memory(patience_seconds=0.1)

    async def main() -> None:
        lend_database_threads(1)
        asking = asyncio.ensure_future(memory.get_async("key", slow))
        await asyncio.sleep(0.01)
        with pytest.raises(AnswerMissing):
            await memory.get_async("key", slow)
        slow.may_answer.set()
        assert await asking == "answer"

    asyncio.run(main())


@pytest.mark.parametrize("leaves", [False, True])
def test_who_finds_no_thread_to_ask_with_leaves_nobody_waiting_for_nothing(monkeypatch, leaves):
    monkeypatch.setattr("accounts.database_threads.PATIENCE_SECONDS", 20 if leaves else 0.1)
    memory = make_memory()

    async def main() -> None:
        threads = lend_database_threads(1)
        end = threading.Event()
        busy = asyncio.ensure_future(threads.run(end.wait))
        await asyncio.sleep(0)
        asking = asyncio.ensure_future(memory.get_async("key", lambda: "never"))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(memory.get_async("key", lambda: "never"))
        await asyncio.sleep(0)
        if leaves:
            asking.cancel()
        told = await asyncio.gather(asking, waiting, return_exceptions=True)
        assert [type(each) for each in told] == [asyncio.CancelledError if leaves else NoDatabaseThread, AnswerMissing]
        end.set()
        await busy
        assert await memory.get_async("key", lambda: "asked anew") == "asked anew"

    asyncio.run(main())


def test_without_a_loop_it_is_the_memory_that_threads_share():
    from accounts.waits import run_blocking

    memory = make_memory()
    assert run_blocking(memory.get_async("key", lambda: 1)) == 1
    assert memory.get("key", lambda: 2) == 1


def test_nobody_waits_for_an_answer_to_be_renewed():
    memory, slow = make_memory(), Slow("new")

    async def main() -> None:
        lend_database_threads(1)
        await memory.get_async("key", lambda: "old")
        memory._entries["key"].renew_at = 0
        for _ in range(CROWD):
            assert await memory.get_async("key", slow) == "old"
        slow.may_answer.set()
        await renewed(memory)
        assert memory.peek("key") == "new"

    asyncio.run(main())
    assert slow.asked == 1


def test_an_answer_whose_time_is_up_is_waited_for():
    memory = make_memory()

    async def main() -> None:
        lend_database_threads(1)
        await memory.get_async("key", lambda: "old")
        memory._entries["key"].renew_at = memory._entries["key"].expires_at = 0
        assert await memory.get_async("key", lambda: "new") == "new"

    asyncio.run(main())


@pytest.mark.parametrize("error", [InvalidCredentials(), ZeroDivisionError()])
def test_after_a_renewal_that_failed_the_next_is_told_why(error):
    memory, slow = make_memory(), Slow(error)
    slow.may_answer.set()

    async def main() -> None:
        lend_database_threads(1)
        await memory.get_async("key", lambda: "old")
        memory._entries["key"].renew_at = 0
        assert await memory.get_async("key", slow) == "old"
        await renewed(memory)
        with pytest.raises(type(error)):
            await memory.get_async("key", slow)

    asyncio.run(main())


def test_what_was_changed_while_an_answer_was_renewed_is_asked_for_again():
    memory, slow = make_memory(), Slow("too old")

    async def main() -> None:
        lend_database_threads(1)
        await memory.get_async("key", lambda: "old")
        memory._entries["key"].renew_at = 0
        await memory.get_async("key", slow)
        memory.forget()
        slow.may_answer.set()
        await renewed(memory)
        assert await memory.get_async("key", lambda: "changed") == "changed"

    asyncio.run(main())


async def renewed(memory: ShortMemory[str, object]) -> None:
    await asyncio.wait_for(asyncio.gather(*memory._renewals), 20)
