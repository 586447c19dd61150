"""A read that many want at once is made once, and nobody is told what was looked at before they came."""

import asyncio
from collections.abc import Callable
from threading import Event

from accounts.database_threads import lend_database_threads
from consumers.services.reading import Reading
from consumers.services.shared_looks import SharedLooks


class Reads:
    """Reads that are counted, and wait until they may go on."""

    def __init__(self, *, threads: int = 1) -> None:
        lend_database_threads(threads)
        self.shared = SharedLooks()
        self.begun = 0
        self.may_end = Event()

    def read(self) -> Reading:
        self.begun += 1
        self.may_end.wait(10)
        return Reading()

    def ask(self, key: str = "here", read: Callable[[], Reading] | None = None) -> asyncio.Task[Reading]:
        return asyncio.create_task(self.shared.read(key, read or self.read))

    async def until_begun(self, count: int) -> None:
        while self.begun < count:
            await asyncio.sleep(0.001)


def test_those_who_come_together_share_one():
    async def main() -> None:
        reads = Reads()
        asked = [reads.ask() for _ in range(100)]
        await reads.until_begun(1)
        reads.may_end.set()
        found = await asyncio.gather(*asked)
        assert reads.begun == 1
        assert len({id(each) for each in found}) == 1

    asyncio.run(main())


def test_who_comes_when_it_has_begun_is_told_of_another_one():
    async def main() -> None:
        reads = Reads(threads=2)
        first = reads.ask()
        await reads.until_begun(1)
        second, third = reads.ask(), reads.ask()
        await reads.until_begun(2)
        reads.may_end.set()
        assert await second is await third
        assert await second is not await first
        assert reads.begun == 2

    asyncio.run(main())


def test_who_wants_something_else_has_a_read_of_their_own():
    async def main() -> None:
        reads = Reads()
        reads.may_end.set()
        await asyncio.gather(reads.ask("here"), reads.ask("there"))
        assert reads.begun == 2

    asyncio.run(main())


def test_who_leaves_takes_it_from_nobody_else():
    async def main() -> None:
        reads = Reads()
        first, second = reads.ask(), reads.ask()
        await reads.until_begun(1)
        first.cancel()
        reads.may_end.set()
        assert await second == Reading()
        assert first.cancelled()

    asyncio.run(main())


def test_what_goes_wrong_is_told_to_all_and_the_next_one_asks_anew():
    async def main() -> None:
        reads = Reads()

        def fail() -> Reading:
            raise ValueError("it is damaged")

        for outcome in await asyncio.gather(reads.ask(read=fail), reads.ask(), return_exceptions=True):
            assert isinstance(outcome, ValueError)
        reads.may_end.set()
        assert await reads.ask() == Reading()

    asyncio.run(main())
