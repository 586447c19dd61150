"""Calls that come while a transaction is under way share the next one; each gets its own answer or error."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import psycopg
import pytest
from django.db import transaction
from django.db.utils import DataError, OperationalError

from accounts import company, database_threads
from accounts.database_threads import NoDatabaseThread, in_database_thread, lend_database_threads
from accounts.waits import run_blocking
from consumers.services import shared_commits
from consumers.services.shared_commits import share
from tests.consumers.leases import eventually


class Bank:
    """Squares numbers, all of one transaction at once; a negative one cannot be carried out."""

    def __init__(self) -> None:
        self.transactions: list[list[int]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.failure: BaseException = DataError("negative")

    def commit(self, numbers: Sequence[int]) -> Callable[[], Sequence[int]]:
        self.transactions.append(list(numbers))
        self.may_go_on.wait(10)
        if any(number < 0 for number in numbers):
            raise self.failure

        def answer() -> Sequence[int]:
            self.may_answer.wait(10)
            return [number * number for number in numbers]

        return answer


@pytest.fixture
def bank() -> Bank:
    return Bank()


class Crowd:
    """Calls on the way, each in a thread of its own."""

    def __init__(self, bank: Bank, lane: str = "lane") -> None:
        self._bank, self._lane = bank, lane
        self._threads: list[threading.Thread] = []
        self.outcomes: dict[int, object] = {}

    def call(self, number: int, *, size: int = 1) -> None:
        def work() -> None:
            try:
                self.outcomes[number] = run_blocking(share(self._lane, number, self._bank.commit, size=size))
            except BaseException as error:
                self.outcomes[number] = error

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def leads(self, number: int) -> None:
        """Let one call begin, and leave it in its transaction."""
        self._bank.may_go_on.clear()
        self.call(number)
        eventually(lambda: self._bank.transactions[-1:] == [[number]])

    def queue(self, *numbers: int, size: int = 1) -> None:
        for number in numbers:
            before = self._queued()
            self.call(number, size=size)
            eventually(lambda before=before: self._queued() == before + 1)

    def _queued(self) -> int:
        return len(shared_commits._lanes._lanes[self._lane].queue)

    def finish(self) -> dict[int, object]:
        self._bank.may_go_on.set()
        for thread in self._threads:
            thread.join(20)
        return self.outcomes


def test_a_call_that_is_alone_is_carried_out_in_its_own_thread(bank):
    assert run_blocking(share("lane", 3, bank.commit)) == 9
    assert bank.transactions == [[3]]
    assert not shared_commits._lanes._lanes


def test_what_comes_during_a_transaction_shares_the_next_in_order_of_arrival(bank):
    crowd = Crowd(bank)
    crowd.leads(1)
    crowd.queue(2, 3, 4)

    assert crowd.finish() == {1: 1, 2: 4, 3: 9, 4: 16}
    assert bank.transactions == [[1], [2, 3, 4]]
    assert not shared_commits._lanes._lanes


def test_other_lanes_do_not_wait(bank):
    crowd = Crowd(bank)
    crowd.leads(1)
    other = Bank()

    assert run_blocking(share("other", 5, other.commit)) == 25
    crowd.finish()


def test_the_next_transaction_does_not_wait_for_the_answers_of_the_one_before(bank):
    crowd = Crowd(bank)
    crowd.leads(1)
    crowd.queue(2)
    bank.may_answer.clear()
    bank.may_go_on.set()

    eventually(lambda: bank.transactions == [[1], [2]])
    bank.may_answer.set()
    assert crowd.finish() == {1: 1, 2: 4}


def test_a_call_that_fails_alone_fails_no_other(bank):
    crowd = Crowd(bank)
    crowd.leads(1)
    crowd.queue(2, -3, 4)
    outcomes = crowd.finish()

    assert isinstance(outcomes.pop(-3), DataError)
    assert outcomes == {1: 1, 2: 4, 4: 16}
    assert bank.transactions == [[1], [2, -3, 4], [2], [-3], [4]]


def test_the_servers_trouble_is_everybodys_and_is_not_tried_again_one_by_one(bank):
    bank.failure = OperationalError("away")
    bank.failure.__cause__ = psycopg.errors.LockNotAvailable("away")
    crowd = Crowd(bank)
    crowd.leads(1)
    crowd.queue(2, -3, 4)
    outcomes = crowd.finish()

    errors = [outcomes[number] for number in (2, -3, 4)]
    assert bank.transactions == [[1], [2, -3, 4]]
    assert [(type(error), str(error), error.__cause__) for error in errors] == [
        (OperationalError, "away", bank.failure.__cause__)
    ] * 3
    # Threads that raise the same exception would mix up its traceback.
    assert all(one is not another for one, another in pairwise(errors))


def test_whoever_is_stopped_while_leading_leaves_nobody_waiting(bank):
    bank.failure = SystemExit()
    crowd = Crowd(bank)
    crowd.leads(1)
    crowd.queue(-2, 3)
    outcomes = crowd.finish()

    assert isinstance(outcomes[-2], SystemExit)
    assert isinstance(outcomes[3], OperationalError)
    assert not shared_commits._lanes._lanes
    assert run_blocking(share("lane", 5, bank.commit)) == 25


def test_a_call_whose_turn_does_not_come_is_withdrawn_and_certainly_not_carried_out(bank, monkeypatch):
    monkeypatch.setattr(shared_commits, "QUEUE_TIMEOUT_SECONDS", 0.2)
    crowd = Crowd(bank)
    crowd.leads(1)
    crowd.queue(2)
    eventually(lambda: 2 in crowd.outcomes)
    crowd.finish()

    error = crowd.outcomes[2]
    assert isinstance(error, OperationalError)
    assert error.__cause__.sqlstate == "55P03"
    assert bank.transactions == [[1]]
    assert not shared_commits._lanes._lanes


def test_large_calls_do_not_make_a_transaction_without_end(bank):
    crowd = Crowd(bank)
    crowd.leads(1)
    crowd.queue(2, 3, 4, size=400)

    assert crowd.finish() == {1: 1, 2: 4, 3: 9, 4: 16}
    assert bank.transactions == [[1], [2, 3], [4]]


@pytest.mark.usefixtures("db_with_commits")
def test_a_call_within_a_transaction_of_its_callers_goes_alone(bank):
    crowd = Crowd(bank)
    crowd.leads(1)
    bank.may_go_on.set()
    with transaction.atomic():
        assert run_blocking(share("lane", 2, bank.commit)) == 4
    assert [2] in bank.transactions
    crowd.finish()


@contextmanager
def lent_threads(size: int) -> Iterator[None]:
    threads = lend_database_threads(size)
    try:
        yield
    finally:
        threads.close()


async def begin(crowd: Crowd, bank: Bank, *numbers: int) -> list[asyncio.Task[int]]:
    """Let coroutines call, and queue."""
    tasks = []
    for number in numbers:
        before = crowd._queued()
        tasks.append(asyncio.create_task(share("lane", number, bank.commit)))
        while crowd._queued() == before:
            await asyncio.sleep(0.01)
    return tasks


def test_coroutines_hold_no_thread_while_they_wait_and_share_with_threads(bank):
    async def together() -> list[int | BaseException]:
        with lent_threads(1):
            calls = await begin(crowd, bank, 2, -3, 4)
            alone = await share("alone", 5, Bank().commit)
            bank.may_go_on.set()
            return [alone, *await asyncio.gather(*calls, return_exceptions=True)]

    crowd = Crowd(bank)
    crowd.leads(1)
    five, two, three, four = asyncio.run(together())

    assert (five, two, four) == (25, 4, 16)
    assert isinstance(three, DataError)
    assert crowd.finish() == {1: 1}
    assert [2, -3, 4] in bank.transactions


def test_a_coroutine_that_is_cancelled_is_not_carried_out(bank):
    async def cancel() -> None:
        with lent_threads(1):
            (call,) = await begin(crowd, bank, 2)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

    crowd = Crowd(bank)
    crowd.leads(1)
    asyncio.run(cancel())
    assert crowd.finish() == {1: 1}
    assert bank.transactions == [[1]]


def test_a_leader_for_whom_no_thread_comes_free_lets_the_next_one_lead(bank, monkeypatch):
    monkeypatch.setattr(database_threads, "PATIENCE_SECONDS", 0.1)

    async def refuse() -> None:
        with lent_threads(1):
            is_over = threading.Event()
            busy = asyncio.create_task(in_database_thread(lambda: is_over.wait(10)))
            await asyncio.sleep(0.05)
            first = asyncio.create_task(share("lane", 1, bank.commit))
            await asyncio.sleep(0)
            (second,) = await begin(crowd, bank, 2)
            with pytest.raises(NoDatabaseThread):
                await first
            is_over.set()
            assert await second == 4
            await busy

    crowd = Crowd(bank)
    asyncio.run(refuse())
    assert bank.transactions == [[2]]
    assert not shared_commits._lanes._lanes


async def call_each(bank: Bank, *numbers: int) -> list[int]:
    return await asyncio.gather(*(share("lane", number, bank.commit) for number in numbers))


@pytest.fixture(autouse=True)
def nobody_came_before(monkeypatch) -> None:
    monkeypatch.setattr(shared_commits, "_lanes", shared_commits.Lanes())


@pytest.fixture
def long_gathering(monkeypatch) -> None:
    """Whoever waits for company that does not come would be noticed."""
    monkeypatch.setattr(shared_commits, "GATHER_SECONDS", 30)
    monkeypatch.setattr(company, "BUSY_SECONDS", 60)


@pytest.mark.usefixtures("long_gathering")
def test_a_leader_waits_for_as_many_as_came_last_time_and_no_longer(bank):
    async def come() -> None:
        with lent_threads(1):
            await call_each(bank, 1, 2)
            first = asyncio.create_task(share("lane", 4, bank.commit))
            await asyncio.sleep(0.1)
            assert bank.transactions == [[1, 2]], "it waits for one more"
            assert await share("lane", 5, bank.commit) == 25
            assert await first == 16

    asyncio.run(come())
    assert bank.transactions == [[1, 2], [4, 5]]


@pytest.mark.usefixtures("long_gathering")
def test_who_was_alone_last_time_waits_for_nobody(bank):
    async def come() -> None:
        with lent_threads(1):
            for number in (1, 2, 3):
                await share("lane", number, bank.commit)
            await call_each(bank, 4, 5, 6)

    asyncio.run(come())
    assert bank.transactions == [[1], [2], [3], [4, 5, 6]]


def test_company_that_does_not_come_is_waited_for_once_and_not_for_long(bank, monkeypatch):
    monkeypatch.setattr(shared_commits, "GATHER_SECONDS", 0.05)
    monkeypatch.setattr(company, "BUSY_SECONDS", 60)

    async def come() -> None:
        with lent_threads(1):
            await call_each(bank, 1, 2)
            await share("lane", 4, bank.commit)
            monkeypatch.setattr(shared_commits, "GATHER_SECONDS", 30)
            await share("lane", 5, bank.commit)

    asyncio.run(come())
    assert bank.transactions == [[1, 2], [4], [5]]


@pytest.mark.usefixtures("long_gathering")
def test_what_was_long_ago_is_no_reason_to_wait(bank, monkeypatch):
    async def come() -> None:
        with lent_threads(1):
            await call_each(bank, 1, 2)
            await share("lane", 4, bank.commit)

    monkeypatch.setattr(company, "BUSY_SECONDS", 0)
    asyncio.run(come())
    assert bank.transactions == [[1, 2], [4]]


@pytest.mark.usefixtures("long_gathering")
def test_a_leader_that_goes_away_while_it_waits_for_company_lets_the_next_one_wait(bank):
    async def come() -> None:
        with lent_threads(1):
            await call_each(bank, 1, 2, 3)
            first, second = [asyncio.create_task(share("lane", number, bank.commit)) for number in (5, 6)]
            await asyncio.sleep(0.05)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert await asyncio.gather(second, *(share("lane", number, bank.commit) for number in (7, 8))) == [
                36,
                49,
                64,
            ]

    asyncio.run(come())
    assert bank.transactions == [[1, 2, 3], [6, 7, 8]]
    assert not shared_commits._lanes._lanes
