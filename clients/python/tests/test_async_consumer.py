"""The asynchronous half consumes as the synchronous one does: what differs is how it waits."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from eventflow_client import AsyncEventFlow, ConsumerSettings, Event, NewEvent, current_traceparent
from lossy import LOSE_ANSWER
from running import PATIENCE_SECONDS, append, deliveries, lag

pytestmark = pytest.mark.processes


@pytest.fixture
def run(network, key, retries) -> Callable[[Callable[[AsyncEventFlow], Awaitable[Any]]], Any]:
    """Run a coroutine function with a client of its own."""

    def run(work: Callable[[AsyncEventFlow], Awaitable[Any]]) -> Any:
        async def with_client() -> Any:
            async with AsyncEventFlow(network.url, key=key, retries=retries) as client:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    return await work(client)

        return asyncio.run(with_client())

    return run


@pytest.fixture
def group(client, orders) -> str:
    body = {"name": "workers", "mode": "lease", "backoff": [0], "max_failures": 3, "ack_wait": 1}
    client.request("POST", f"/streams/{orders}/consumer-groups", body)
    return "workers"


def test_handlers_of_both_kinds_work_side_by_side_and_keep_their_leases(run, client, orders, group):
    client.send_many([NewEvent(orders, n, key=f"k{n}") for n in range(6)])

    def consume(make_handler: Callable[[list[Event]], Any]) -> list[Event]:
        async def work(flow: AsyncEventFlow) -> list[Event]:
            seen: list[Event] = []
            settings = ConsumerSettings(wait_seconds=0.2, concurrency=4, max_events=6)
            consumer = flow.consumer(orders, group, make_handler(seen), settings=settings)
            task = asyncio.create_task(consumer.run())
            while len(seen) < 6:
                await asyncio.sleep(0.05)
            consumer.stop()
            await task
            return seen

        return run(work)

    def with_coroutines(seen: list[Event]) -> Any:
        async def handle(event: Event) -> None:
            # Longer than the ack wait.
            await asyncio.sleep(1.3)
            seen.append(event)

        return handle

    def with_threads(seen: list[Event]) -> Any:
        def handle(event: Event) -> None:
            time.sleep(1.3)
            seen.append(event)

        return handle

    for make_handler in (with_coroutines, with_threads):
        seen = consume(make_handler)
        assert sorted(event.payload for event in seen) == list(range(6))
        assert (lag(client, orders, group), deliveries(client, orders, group)) == (0, [])
        client.request("POST", f"/streams/{orders}/consumer-groups/{group}/seek", {"to": "earliest"})


def test_failures_answers_that_are_lost_and_traces(run, network, client, orders, group):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    append(client, orders, 3, headers={"traceparent": trace})
    network.happen(LOSE_ANSWER, to="/ack")
    traces = set()
    seen: list[int] = []

    async def work(flow: AsyncEventFlow) -> None:
        async def handle(event: Event) -> None:
            traces.add(current_traceparent())
            seen.append(event.payload)
            if event.payload == 1 and seen.count(1) == 1:
                raise LookupError("no such customer")

        consumer = flow.consumer(orders, group, handle, settings=ConsumerSettings(wait_seconds=0.2))
        task = asyncio.create_task(consumer.run())
        while len(seen) < 4:
            await asyncio.sleep(0.05)
        consumer.stop()
        await task

    run(work)
    assert network.is_quiet
    assert seen == [0, 1, 2, 1]
    assert traces == {trace}
    assert lag(client, orders, group) == 0


def test_a_task_that_is_cancelled_gives_back_what_it_holds(run, client, orders, group):
    append(client, orders, 2)
    begun: list[Event] = []

    async def work(flow: AsyncEventFlow) -> None:
        async def handle(event: Event) -> None:
            begun.append(event)
            await asyncio.sleep(PATIENCE_SECONDS)

        settings = ConsumerSettings(wait_seconds=0.2, stop_seconds=0.2)
        task = asyncio.create_task(flow.consumer(orders, group, handle, settings=settings).run())
        while not begun:
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work)
    (left,) = deliveries(client, orders, group)
    assert (left["state"], left["failure_count"]) == ("waiting", 0)


def test_offset_mode_commits(run, client, orders):
    client.request("POST", f"/streams/{orders}/consumer-groups", {"name": "readers"})
    append(client, orders, 25)
    seen: list[int] = []

    async def work(flow: AsyncEventFlow) -> None:
        async def handle(event: Event) -> None:
            seen.append(event.payload)

        consumer = flow.consumer(orders, "readers", handle, settings=ConsumerSettings(wait_seconds=0.2, max_events=10))
        task = asyncio.create_task(consumer.run())
        while len(seen) < 25:
            await asyncio.sleep(0.05)
        consumer.stop()
        await task

    run(work)
    assert seen == list(range(25))
    assert lag(client, orders, "readers") == 0
