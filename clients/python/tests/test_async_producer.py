"""The asynchronous half sends as the synchronous one does: what differs is how it waits."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from eventflow_client import AsyncEventFlow, Closed, NoAnswer, NotInTime, ProducerSettings, Retries, problems
from lossy import LOSE_ANSWER, LOSE_REQUEST

pytestmark = pytest.mark.processes


@pytest.fixture
def run(network, key, retries) -> Callable[[Callable[[AsyncEventFlow], Awaitable[Any]]], Any]:
    """Run a coroutine function with a client of its own."""

    def run(work: Callable[[AsyncEventFlow], Awaitable[Any]]) -> Any:
        async def with_client() -> Any:
            async with AsyncEventFlow(network.url, key=key, retries=retries) as client:
                return await work(client)

        return asyncio.run(with_client())

    return run


def test_it_is_stored_once_though_answers_are_lost(run, network, orders):
    network.happen(LOSE_ANSWER, LOSE_ANSWER)

    async def work(client: AsyncEventFlow) -> Any:
        where = await client.send(orders, {"n": 1})
        return where, await client.request("GET", f"/streams/{orders}/events")

    where, stored = run(work)
    assert len(network.seen("POST .*/events")) == 3
    assert [event["offset"] for event in stored] == [where.offset] == [1]


def test_order_is_kept_for_each_key_and_nothing_doubled_while_answers_are_lost(run, network, orders):
    network.happen(*[LOSE_ANSWER, LOSE_REQUEST] * 6, to=f"POST .*/{orders}/events")

    async def work(client: AsyncEventFlow) -> Any:
        async with client.producer(ProducerSettings(linger_seconds=0.001, batch_events=7, lanes=3)) as producer:
            pending = [await producer.enqueue(orders, n, key=f"k{n % 5}") for n in range(300)]
            offsets = [(await each).offset for each in pending]
        return offsets, await client.request("GET", f"/streams/{orders}/events", limit=1000)

    offsets, stored = run(work)
    assert network.is_quiet
    assert sorted(offsets) == list(range(1, 301))
    of_key = defaultdict(list)
    for event in stored:
        of_key[event["key"]].append(event["payload"])
    assert of_key == {f"k{k}": list(range(k, 300, 5)) for k in range(5)}


def test_bad_events_fail_alone(run, orders):
    async def work(client: AsyncEventFlow) -> Any:
        async with client.producer(ProducerSettings(linger_seconds=0.2)) as producer:
            pending = [await producer.enqueue(orders, n, key="k" * 600 if n == 2 else "k") for n in range(4)]
        return [await each.exception() for each in pending]

    errors = run(work)
    assert [type(error) for error in errors] == [type(None), type(None), problems.InvalidEvents, type(None)]


def test_the_buffer_and_closing_are_bounded(run, network, orders):
    network.happen(*[LOSE_REQUEST] * 100_000)

    async def work(client: AsyncEventFlow) -> Any:
        producer = client.producer(ProducerSettings(buffer_bytes=1000, batch_events=1, room_seconds=0.2))
        pending = []
        with pytest.raises(NotInTime, match="full"):
            while True:
                pending.append(await producer.enqueue(orders, "x" * 100))
        await producer.aclose(timeout=0.2)
        with pytest.raises(Closed):
            await producer.enqueue(orders, 1)
        return await pending[-1].exception(timeout=0)

    assert isinstance(run(work), NoAnswer)


def test_many_wait_at_once(run, orders):
    async def work(client: AsyncEventFlow) -> Any:
        async with client.producer() as producer:

            async def send(n: int) -> int:
                return (await (await producer.enqueue(orders, n))).offset

            return await asyncio.gather(*map(send, range(500)))

    assert sorted(run(work)) == list(range(1, 501))


def test_retries_end_with_the_time_that_was_given(network, key, orders):
    network.happen(*[LOSE_REQUEST] * 100)
    retries = Retries(total_seconds=0.3, first_pause_seconds=0.01, longest_pause_seconds=0.05)

    async def work() -> None:
        async with AsyncEventFlow(network.url, key=key, retries=retries) as client:
            await client.send(orders, 1)

    with pytest.raises(NoAnswer):
        asyncio.run(work())
